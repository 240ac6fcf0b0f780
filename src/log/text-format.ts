/** The error log as text, in gunicorn's form: `[2026-11-22 18:55:16 +0000] [4711] [INFO] Starting tsgun`. */
import { createRequire } from "node:module";

/** An entry as pino describes it to the stream it writes to. */
export interface Entry {
  readonly lastLevel: number;
  readonly lastMsg: string;
  /** What was logged beside the message. */
  readonly lastObj: { readonly err?: unknown } | null;
}

/** pino's numbers, in gunicorn's (Python's) words. */
const LEVEL_WORDS: { readonly [level: number]: string } = {
  20: "DEBUG",
  30: "INFO",
  40: "WARNING",
  50: "ERROR",
  60: "CRITICAL",
};

/**
 * One entry: its line, then the error's stack if there is one. Ends with a line feed. Control characters in the
 * message are escaped: part of it may come from a client, who must not be able to write a line of his own.
 */
export function formatEntry(entry: Entry, time: Date, pid: number): string {
  const word = LEVEL_WORDS[entry.lastLevel] ?? String(entry.lastLevel);
  const line = `[${formatTime(time)}] [${pid}] [${word}] ${escapeControls(entry.lastMsg)}\n`;
  const error = entry.lastObj?.err;
  return error === undefined ? line : `${line}${describeError(error)}\n`;
}

function escapeControls(message: string): string {
  return message.replace(/[\0-\x1f\x7f-\x9f]/g, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A thrown value with its stack and its causes; a string stands for itself. */
function describeError(error: unknown): string {
  if (typeof error === "string") return error;
  // Loaded here: a start without errors does without.
  const { inspect } = createRequire(import.meta.url)("node:util") as typeof import("node:util");
  return inspect(error);
}

/** Local time with its distance from UTC: `2026-11-22 18:55:16 +0000`. */
export function formatTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const east = -time.getTimezoneOffset();
  const zone = `${east < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  return `${day} ${clock} ${zone}`;
}
