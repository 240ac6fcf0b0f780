/**
 * Questions to the inspector about a stack, and how their answers are read: an expression that is evaluated in the middle of
 * what the main thread does, and a profile's samples. Pure: text and data only.
 */
import type { Profiler } from "node:inspector";
import type { StalledRequest } from "../../ipc/stall-report.ts";

/** Name of the global function that returns the requests in flight as JSON. */
export const IN_FLIGHT = "tsgun.inFlight";

/** Name of the global function that returns how often the loop has beaten. */
export const BEATS = "tsgun.beats";

/** Name of the global function to call before a stuck worker is killed. */
export const ABORT = "tsgun.abort";

/** Name of the global function that returns the slowest requests of the last minutes as JSON. */
export const SLOW_REQUESTS = "tsgun.slowRequests";

/** Frames of a stack. Those of the expression itself come in addition. */
export const FRAMES = 40;

export function calling(name: string): string {
  return `globalThis[Symbol.for(${JSON.stringify(name)})]?.()`;
}

const PROBE_URL = "tsgun:probe";

/** Returns JSON: see `Look`. It leaves everything as it was, and does without what an app may have frozen. */
export const LOOK = `(() => {
  const own = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const limit = Error.stackTraceLimit;
  let frames, inFlight, beats;
  try {
    Error.stackTraceLimit = ${FRAMES + 2};
    Error.prepareStackTrace = (_, sites) => sites.map((site) => [
      (site.isAsync() ? "async " : "") + (site.getFunctionName() ?? ""),
      site.getScriptNameOrSourceURL() ?? "",
      site.getLineNumber() ?? 1,
      site.getColumnNumber() ?? 1,
    ]);
    frames = new Error().stack;
  } catch {}
  try { Error.stackTraceLimit = limit; } catch {}
  try {
    if (own === undefined) delete Error.prepareStackTrace;
    else Object.defineProperty(Error, "prepareStackTrace", own);
  } catch {}
  try { beats = ${calling(BEATS)}; } catch {}
  try { inFlight = ${calling(IN_FLIGHT)}; } catch {}
  return JSON.stringify({ frames, beats, inFlight });
})()
//# sourceURL=${PROBE_URL}`;

/** Function, URL of the script, line and column from 1. */
export type Frame = readonly [name: string, url: string, line: number, column: number];

export interface Look {
  readonly frames: readonly Frame[];
  readonly beats: number | undefined;
  readonly inFlight: StalledRequest[] | undefined;
}

export function parseLook(value: unknown): Look {
  const { frames, beats, inFlight } = JSON.parse(String(value)) as Record<string, unknown>;
  const requests: unknown = typeof inFlight === "string" ? JSON.parse(inFlight) : undefined;
  return {
    // Built-in functions have no URL: the call of one is in the next frame.
    frames: asFrames(frames).filter(([, url]) => url !== PROBE_URL && url !== "" && url !== "<anonymous>"),
    beats: typeof beats === "number" ? beats : undefined,
    inFlight: Array.isArray(requests) ? (requests as StalledRequest[]) : undefined,
  };
}

/** Reads the stack, which is text if the app lets nobody set `Error.prepareStackTrace`. */
function asFrames(stack: unknown): Frame[] {
  if (Array.isArray(stack)) return stack as Frame[];
  const lines = String(stack).matchAll(/^ +at (?:(.*?) \()?(.*?):(\d+):(\d+)\)?$/gm);
  return [...lines].map(([, name = "", url = "", line, column]) => [name, url, Number(line), Number(column)]);
}

/**
 * The stack that most samples have found; undefined if they do not tell its line, as in the top level of a module. Of a
 * caller only the function is known, not where it calls.
 */
export function hottest({ nodes }: Profiler.Profile): Frame[] | undefined {
  const [first] = nodes
    .filter(({ callFrame }) => callFrame.url !== "")
    .sort((a, b) => (b.hitCount ?? 0) - (a.hitCount ?? 0));
  if (first?.positionTicks === undefined || first.callFrame.lineNumber < 0) return undefined;
  const frames: Frame[] = [];
  for (let node: Profiler.ProfileNode | undefined = first; node !== undefined; ) {
    const { functionName, url, lineNumber, columnNumber } = node.callFrame;
    const [busiest] = node === first ? (node.positionTicks ?? []).sort((a, b) => b.ticks - a.ticks) : [];
    if (busiest !== undefined) frames.push([functionName, url, busiest.line, LINE_END]);
    else if (url !== "") frames.push([functionName, url, lineNumber + 1, columnNumber + 1]);
    const { id }: Profiler.ProfileNode = node;
    node = nodes.find(({ children }) => children?.includes(id));
  }
  return frames;
}

/** A column that is not known: a source map has the line at its end. */
const LINE_END = 10_000;

/** Whether no callback was under way, or one that goes on in the top level of a module has not yet got to its place. */
export function isBetweenCallbacks(frames: readonly Frame[]): boolean {
  const [first] = frames;
  return first === undefined || (frames.length === 1 && first[2] === 1 && first[3] === 1);
}
