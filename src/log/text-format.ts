/** The error log as text, in gunicorn's form: `[2026-11-22 18:55:16 +0000] [4711] [INFO] Starting tsgun`. */
import { createRequire } from "node:module";
import { appFrames } from "./app-frames.ts";
import type { LogLevel } from "./log-level.ts";

/** A log entry. */
export interface Entry {
  readonly level: LogLevel;
  readonly message: string;
  /** An error, or another thrown value. */
  readonly error?: unknown;
  /** Also show frames of tsgun and Node. */
  readonly allFrames?: boolean;
}

/** SGR codes of ECMA-48: the level is coloured, stack frames are faint. */
const COLOURS: { readonly [Level in LogLevel]: string } = {
  debug: "36",
  info: "32",
  warning: "33",
  error: "31",
  critical: "1;31",
};
const FAINT = "2";

/** Formats an entry: its line, then the error's stack, if any. Ends with a line feed. */
export function formatEntry(entry: Entry, time: Date, pid: number, colour = false): string {
  const word = entry.level.toUpperCase();
  const level = colour ? coloured(word, COLOURS[entry.level]) : word;
  const [message = "", ...stack] = entryLines(entry);
  let text = `[${formatTime(time)}] [${pid}] [${level}] ${message}\n`;
  for (const line of stack) text += `${colour && /^\s+at /.test(line) ? coloured(line, FAINT) : line}\n`;
  return text;
}

function coloured(text: string, code: string): string {
  return `\x1b[${code}m${text}\x1b[0m`;
}

/**
 * The message and the lines of the error. Control characters are escaped, because parts may come from a client, which
 * must not be able to forge a line. A line of an error cannot look like an entry either.
 */
export function entryLines({ message, error, allFrames = false }: Entry): string[] {
  const line = escapeControls(message);
  if (error === undefined) return [line];
  const described = describeError(error);
  const stack = (allFrames ? described : appFrames(described)).split("\n");
  return [line, ...stack.map((text) => escapeControls(text).replace(/^\[/, " ["))];
}

function escapeControls(text: string): string {
  return text.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f]/g, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A thrown value with its stack and causes; a string is returned as it is. Never throws. */
export function describeError(error: unknown): string {
  if (typeof error === "string") return error;
  // Loaded here, so that a start-up without errors does not pay for it.
  const { inspect } = createRequire(import.meta.url)("node:util") as typeof import("node:util");
  try {
    return inspect(error);
  } catch {
    return `the thrown ${typeof error} cannot be converted to text`;
  }
}

/** Local time with its UTC offset: `2026-11-22 18:55:16 +0000`. */
export function formatTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const east = -time.getTimezoneOffset();
  const zone = `${east < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  return `${day} ${clock} ${zone}`;
}

/**
 * Whether to colour text written to a descriptor: on a terminal, unless the environment says otherwise
 * (NO_COLOR of no-color.org; FORCE_COLOR, as Node takes it; CLICOLOR and CLICOLOR_FORCE of bixense.com/clicolors).
 */
export function wantsColour(fd: number, env: NodeJS.ProcessEnv = process.env): boolean {
  const { NO_COLOR = "", FORCE_COLOR, CLICOLOR_FORCE = "0", CLICOLOR, TERM } = env;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  if (NO_COLOR !== "") return false;
  if (CLICOLOR_FORCE !== "0" && CLICOLOR_FORCE !== "") return true;
  if (CLICOLOR === "0" || TERM === "dumb") return false;
  const { isatty } = createRequire(import.meta.url)("node:tty") as typeof import("node:tty");
  return isatty(fd);
}
