/**
 * The error log: what the server has to say about itself. Every process writes to the standard error it
 * inherited, or to the log file, by itself and synchronously, so that nothing passes through the arbiter and
 * the last line before an exit is never lost.
 */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import type { DestinationStream, Logger } from "pino";
import { type Entry, formatEntry } from "./text-format.ts";

export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";

export interface ErrorLogOptions {
  /** The least important level that is written. Default: `info`. */
  readonly level?: LogLevel;
  /** Default: the inherited standard error. */
  readonly fd?: number;
  /** An absolute path to append to, instead of a descriptor. */
  readonly file?: string | undefined;
}

const STDERR = 2;

const PINO_LEVELS = {
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "fatal",
} as const;

/** Where pino hands over an entry: with this property set it also leaves the entry's parts on the stream. */
type TextStream = DestinationStream & Entry & { [metadata: symbol]: true };

type SonicBoom = ReturnType<typeof import("pino")["destination"]>;

/**
 * Makes sure that a log file can be appended to, making it if it is not there.
 *
 * @throws the system's error
 */
export function checkWritable(file: string): void {
  closeSync(openSync(file, "a", 0o644));
}

export class ErrorLog {
  readonly #fd: number;
  #file: string | undefined;
  #destination: SonicBoom | undefined;
  #level: LogLevel;
  /** Made by the first message: loading pino is a fifth of a process's start, and a worker may have nothing to say. */
  #pino: Logger | undefined;

  constructor(options: ErrorLogOptions = {}) {
    this.#level = options.level ?? "info";
    this.#fd = options.fd ?? STDERR;
    this.#file = options.file;
  }

  /** Where it is written from the next line on; undefined is the descriptor. */
  set file(file: string | undefined) {
    if (file === this.#file) return;
    this.#file = file;
    this.#pino = undefined;
    this.#destination?.end();
    this.#destination = undefined;
  }

  /** Opens the file by its name again: it has been moved away. A name that cannot be opened keeps the old one. */
  reopen(): void {
    if (this.#file === undefined || this.#destination === undefined) return;
    try {
      checkWritable(this.#file);
    } catch (error) {
      this.error("The log file could not be reopened", error);
      return;
    }
    this.#destination.reopen();
  }

  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
    if (this.#pino !== undefined) this.#pino.level = PINO_LEVELS[level];
  }

  debug(message: string): void {
    this.#open().debug(message);
  }

  info(message: string): void {
    this.#open().info(message);
  }

  /** An error's stack follows the message. */
  warning(message: string, error?: unknown): void {
    this.#open().warn(error === undefined ? {} : { err: error }, message);
  }

  error(message: string, error?: unknown): void {
    this.#open().error(error === undefined ? {} : { err: error }, message);
  }

  /** What the server cannot live with. */
  critical(message: string, error?: unknown): void {
    this.#open().fatal(error === undefined ? {} : { err: error }, message);
  }

  #open(): Logger {
    this.#pino ??= this.#makePino();
    return this.#pino;
  }

  #makePino(): Logger {
    const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
    const destination = pino.destination({ dest: this.#file ?? this.#fd, sync: true });
    // A closed terminal or pipe must not take the server down, nor a full disk.
    destination.on("error", () => {});
    this.#destination = destination;
    const stream = {
      [Symbol.for("pino.metadata")]: true,
      write() {
        destination.write(formatEntry(stream as unknown as Entry, new Date(), process.pid));
      },
    } as unknown as TextStream;
    return pino({ level: PINO_LEVELS[this.#level], base: null, timestamp: false }, stream);
  }
}
