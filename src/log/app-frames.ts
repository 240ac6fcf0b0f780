/** Stacks for the app's developer: the app's frames, without those of tsgun that called it. */
import { OWN_CODE, OWN_FOLDER } from "../ipc/programs.ts";

/** Paths of tsgun's code (built or source, as CommonJS and ES module frames show them) and of packages that run beneath it. */
const OWN_PLACES = [
  OWN_CODE,
  OWN_FOLDER.href,
  "/node_modules/http-parser-js/",
  "/node_modules/@oxc-node/core/",
];

const FRAME = /^\s+at /;
const NODE_FRAME = /[( ]node:/;
const NODE_INTERNAL_FRAME = /[( ]node:internal\//;
/** util.inspect elides frames that also occur in the cause's stack. */
const ELIDED = /^\s+\.\.\. \d+ lines matching cause stack trace \.\.\.$/;

function isOwnFrame(frame: string): boolean {
  return OWN_PLACES.some((code) => frame.includes(code));
}

function isAppFrame(line: string): boolean {
  return FRAME.test(line) && !isOwnFrame(line) && !NODE_FRAME.test(line);
}

/** Whether a frame of this stack belongs to the app. */
export function hasAppFrames(stack: string): boolean {
  return stack.split("\n").some(isAppFrame);
}

/**
 * Removes the frames of tsgun and of Node's internals from `text`, an inspected error with its causes. If no frame
 * belongs to the app, the fault is ours and all frames stay.
 */
export function appFrames(text: string): string {
  const lines = text.split("\n");
  if (!lines.some(isAppFrame)) return text;
  const kept: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (!isInternal(lines, index)) {
      kept.push(line);
      continue;
    }
    // The last frame also carries the brace that opens the error's properties.
    if (line.endsWith(" {") && kept.length > 0) kept.push(`${kept.pop()} {`);
  }
  return kept.join("\n");
}

function isInternal(lines: readonly string[], index: number): boolean {
  const line = lines[index] as string;
  if (ELIDED.test(line)) return true;
  if (!FRAME.test(line)) return false;
  if (isOwnFrame(line) || NODE_INTERNAL_FRAME.test(line)) return true;
  if (!NODE_FRAME.test(line)) return false;
  // Keep Node's public frames between two frames of the app (a callback of Array or fs).
  const end = lines.findIndex((later, at) => at > index && !FRAME.test(later) && !ELIDED.test(later));
  return !lines.slice(index, end === -1 ? undefined : end).some(isAppFrame);
}
