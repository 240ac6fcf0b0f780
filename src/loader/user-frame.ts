/** Attributes an error to code by its stack: the user's frames are those outside Node, tsgun and packages. */
import { fileURLToPath } from "node:url";
import { OWN_CODE } from "../ipc/programs.ts";

export interface Frame {
  readonly file: string;
  readonly line: number;
}

const FRAME = /^\s+at (?:.*?\()?(?:async )?((?:file:\/\/)?\/.*?):(\d+):\d+\)?$/;
const COMPILER = /\/node_modules\/(?:@oxc-node\/core|@swc\/core|pirates)\//;

/** Whether the stack contains only tsgun's own code, apart from packages and Node. */
export function isOurs(error: unknown): boolean {
  const files = framesOf(error).map(({ file }) => file);
  return files.some(isOwn) && !files.some((file) => !isOwn(file) && !file.includes("/node_modules/"));
}

/** The topmost frame in the user's own files, else in a package. Undefined for errors without a stack. */
export function userFrame(error: unknown): Frame | undefined {
  const frames = framesOf(error).filter(({ file }) => !isOwn(file) && !COMPILER.test(file));
  return frames.find((frame) => !frame.file.includes("/node_modules/")) ?? frames[0];
}

/** The error's stack without the frames of tsgun and Node. */
export function userStack(error: Error): string {
  const lines = (error.stack ?? "").split("\n");
  return lines.filter((line) => !/^ +at /.test(line) || isOfUser(line)).join("\n");
}

function isOfUser(line: string): boolean {
  const place = FRAME.exec(line)?.[1];
  return place !== undefined && !isOwn(pathOf(place));
}

function framesOf(error: unknown): Frame[] {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  return stack
    .split("\n")
    .map((line) => FRAME.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ file: pathOf(match[1] as string), line: Number(match[2]) }));
}

function isOwn(file: string): boolean {
  return file.startsWith(OWN_CODE);
}

function pathOf(place: string): string {
  return place.startsWith("file://") ? fileURLToPath(place.replace(/\?.*$/, "")) : place.replace(/\?.*$/, "");
}
