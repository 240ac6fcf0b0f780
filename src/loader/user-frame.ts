/** The place in the user's code that an error comes from: the nearest frame that is neither Node, tsgun nor a package. */
import { fileURLToPath } from "node:url";

export interface Frame {
  readonly file: string;
  readonly line: number;
}

const FRAME = /^\s+at (?:.*?\()?(?:async )?((?:file:\/\/)?\/.*?):(\d+):\d+\)?$/;
const COMPILER = /\/node_modules\/(?:@oxc-node\/core|pirates)\//;
const OWN_CODE = fileURLToPath(new URL("..", import.meta.url));

/** The topmost frame of the user's own files; where there is none, of a package. Undefined for errors without a stack. */
export function userFrame(error: unknown): Frame | undefined {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  const frames = stack
    .split("\n")
    .map((line) => FRAME.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ file: pathOf(match[1] as string), line: Number(match[2]) }))
    .filter((frame) => !frame.file.startsWith(OWN_CODE) && !COMPILER.test(frame.file));
  return frames.find((frame) => !frame.file.includes("/node_modules/")) ?? frames[0];
}

function pathOf(place: string): string {
  return place.startsWith("file://") ? fileURLToPath(place.replace(/\?.*$/, "")) : place.replace(/\?.*$/, "");
}
