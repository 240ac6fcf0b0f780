/** Stacks as whoever wrote the app wants them: their own frames, without how tsgun came to call them. */
import { fileURLToPath } from "node:url";

const OWN_FOLDER = new URL("..", import.meta.url);
/** tsgun's own code, built or source, as it stands in frames of CommonJS and of ES modules, and what runs below it. */
const OWN = [
  fileURLToPath(OWN_FOLDER),
  OWN_FOLDER.href,
  "/node_modules/http-parser-js/",
  "/node_modules/@oxc-node/core/",
];

const FRAME = /^\s+at /;
const NODE = /[( ]node:/;
const NODE_INTERNAL = /[( ]node:internal\//;
/** node:util's inspect leaves out what stands in the stack of the cause as well. */
const LEFT_OUT = /^\s+\.\.\. \d+ lines matching cause stack trace \.\.\.$/;

function isOwn(frame: string): boolean {
  return OWN.some((code) => frame.includes(code));
}

function isApp(line: string): boolean {
  return FRAME.test(line) && !isOwn(line) && !NODE.test(line);
}

/**
 * Takes the frames of tsgun and of Node's insides out of `text`, an error with its causes as it is shown. Where no
 * frame is left that is the app's, the fault is ours, and all stay.
 */
export function appFrames(text: string): string {
  const lines = text.split("\n");
  if (!lines.some(isApp)) return text;
  const kept: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (!isMachinery(lines, index)) {
      kept.push(line);
      continue;
    }
    // The brace before an error's properties stands behind its last frame.
    if (line.endsWith(" {") && kept.length > 0) kept.push(`${kept.pop()} {`);
  }
  return kept.join("\n");
}

function isMachinery(lines: readonly string[], index: number): boolean {
  const line = lines[index] as string;
  if (LEFT_OUT.test(line)) return true;
  if (!FRAME.test(line)) return false;
  if (isOwn(line) || NODE_INTERNAL.test(line)) return true;
  if (!NODE.test(line)) return false;
  // What Node does between two frames of the app (a callback of Array's or of fs) is part of the story.
  const end = lines.findIndex((later, at) => at > index && !FRAME.test(later) && !LEFT_OUT.test(later));
  return !lines.slice(index, end === -1 ? undefined : end).some(isApp);
}
