/**
 * Writes the last words of this worker to the arbiter: the uncaught error, or the call by which the app ends the
 * process. They are written before the end, and synchronously.
 */
import { writeSync } from "node:fs";
import { formatLastWords, type LastWords } from "../ipc/last-words.ts";
import { userStack } from "../loader/user-frame.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { type AppExit, watchAppExit } from "./app-exit.ts";
import { beforeOwnKill } from "./last-acts.ts";
import { logUncaught } from "./uncaught.ts";

/**
 * Watches for everything by which JavaScript ends this process; an uncaught error is logged as well.
 *
 * @param reports the pipe to the arbiter
 * @param leaveNote keeps the words where the arbiter finds them if the pipe is full
 */
export function watchLastWords(
  reports: number,
  log: ErrorLog,
  leaveNote: (words: LastWords) => void,
  onAppExit: (exit: AppExit) => void,
): void {
  const lastWords = new LastWordsWriter(reports, leaveNote);
  logUncaught(log, lastWords);
  watchAppExit((exit) => {
    lastWords.exit(exit);
    onAppExit(exit);
  });
}

/** An app that catches an error itself and exits does so soon: it writes a log line first, or closes its server. */
const CAUGHT_ERROR_MS = 10_000;

class LastWordsWriter {
  readonly #fd: number;
  readonly #leaveNote: (words: LastWords) => void;
  /** An error that the app caught as a last resort, by listening for `uncaughtException`. */
  #caught: { readonly words: LastWords; readonly at: number } | undefined;

  /** @param fd of the pipe to the arbiter */
  constructor(fd: number, leaveNote: (words: LastWords) => void) {
    this.#fd = fd;
    this.#leaveNote = leaveNote;
    beforeOwnKill((signal) => this.#say("signal", new Error(`process.kill(process.pid, "${signal}")`)));
    const { abort } = process;
    process.abort = () => {
      this.#say("abort", new Error("process.abort()"));
      return abort.call(process);
    };
  }

  /** Nobody catches the error: it ends the process. */
  uncaught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
    this.#write(wordsOf(error, origin));
  }

  /** The app has a listener for such errors. */
  caught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
    this.#caught = { words: wordsOf(error, origin), at: performance.now() };
  }

  /** The app called process.exit(). */
  exit({ code, stack }: AppExit): void {
    const { words, at } = this.#caught ?? {};
    if (words !== undefined && performance.now() - (at as number) < CAUGHT_ERROR_MS) this.#write(words);
    else this.#write({ kind: "exit", message: `process.exit(${code})`, stack: framesOf(stack) });
  }

  #say(kind: LastWords["kind"], call: Error): void {
    this.#write({ kind, message: call.message, stack: framesOf(userStack(call)) });
  }

  #write(words: LastWords): void {
    this.#leaveNote(words);
    try {
      writeSync(this.#fd, `${formatLastWords(words)}\n`);
    } catch {
      // The arbiter is gone, or does not read. The process must end all the same.
    }
  }
}

function wordsOf(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): LastWords {
  const kind = origin === "unhandledRejection" ? "rejection" : "exception";
  if (!(error instanceof Error)) return { kind, message: textOf(error), stack: null };
  const name = textOf(error.name) || "Error";
  const message = textOf(error.message);
  return {
    kind,
    message: message === "" ? name : `${name}: ${message}`,
    stack: framesOf(userStack(error)) ?? framesOf(error.stack),
  };
}

/** A thrown value may be anything, and have a `toString` that throws. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value that has no text";
  }
}

/** The frames of a stack, without its message, which may have many lines. */
function framesOf(stack: unknown): string | null {
  const lines = typeof stack === "string" ? stack.split("\n").filter((line) => /^\s+at /.test(line)) : [];
  return lines.length === 0 ? null : lines.map((line) => line.trim()).join("\n");
}
