/**
 * The error log: the server's messages about itself. Every process writes synchronously to its inherited standard
 * error or to the log file, so that nothing passes through the arbiter and the last line before an exit is never
 * lost. Entries for syslog are sent separately and delay nothing.
 */
import { createRequire } from "node:module";
import type { DestinationStream, Logger } from "pino";
import { appFrames } from "./app-frames.ts";
import { LineSink, type SinkTarget } from "./line-sink.ts";
import type { LogLevel } from "./log-level.ts";
import type { SyslogOptions, SyslogSink } from "./syslog-sink.ts";
import { describeError, type Entry, entryLines, formatEntry, wantsColour } from "./text-format.ts";

export type { LogLevel } from "./log-level.ts";

export type LogFormat = "text" | "json";

/** Extra members of a JSON entry. The text format, which is gunicorn's, omits them. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

export interface ErrorLogOptions {
  /** Lowest level that is written. Default: `info`. */
  readonly level?: LogLevel;
  /** Default: `text`. */
  readonly format?: LogFormat;
  /** Absolute path of a file, or a descriptor. Default: the inherited standard error. */
  readonly target?: SinkTarget;
  /** Also send every entry here. */
  readonly syslog?: SyslogOptions | undefined;
  /** Fields of every entry. */
  readonly fields?: LogFields;
}

/** Is told of an entry. */
export type LogObserver = (level: LogLevel, message: string, error: unknown) => void;

const STDERR = 2;

const PINO_LEVELS = {
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "fatal",
} as const;

/** pino's level numbers as gunicorn's (Python's) level names. */
const LEVELS: { readonly [number: number]: LogLevel } = {
  20: "debug",
  30: "info",
  40: "warning",
  50: "error",
  60: "critical",
};

const SEVERITY: readonly LogLevel[] = Object.values(LEVELS);

/** The destination stream. With the `pino.metadata` property set, pino also stores the entry's level on it. */
interface EntryStream extends DestinationStream {
  readonly [metadata: symbol]: true;
  readonly lastLevel: number;
}

export class ErrorLog {
  #options: ErrorLogOptions;
  /** For JSON. Created by the first message: loading pino takes a fifth of a process's start-up. */
  #pino: Logger | undefined;
  #sink: LineSink | undefined;
  #syslog: SyslogOutlet | undefined;
  #colour = false;
  #hasExitHandler = false;
  readonly #observers: LogObserver[] = [];
  #onDrop: (() => void) | undefined;
  #onText: ((text: string) => void) | undefined;

  constructor(options: ErrorLogOptions = {}) {
    this.#options = options;
  }

  /** Applies new options from the next line on. */
  configure(options: ErrorLogOptions): void {
    const before = this.#options;
    this.#options = options;
    this.#pino = undefined;
    if (before.target !== options.target) {
      this.#sink?.close();
      this.#sink = undefined;
    }
    if (JSON.stringify(before.syslog) !== JSON.stringify(options.syslog)) {
      this.#syslog?.close().catch(() => {});
      this.#syslog = undefined;
    }
  }

  /** Calls `observe` for each entry that is written from now on, except the app's own lines. */
  whenWritten(observe: LogObserver): void {
    this.#observers.push(observe);
  }

  /** Calls `count` for each line that is dropped from now on. */
  whenDropped(count: () => void): void {
    this.#onDrop = count;
  }

  /** Calls `keep` with all text that is written from now on, the app's own lines included. */
  whenText(keep: (text: string) => void): void {
    this.#onText = keep;
  }

  get level(): LogLevel {
    return this.#options.level ?? "info";
  }

  /** Whether stacks include tsgun's own frames; on at level debug, to find faults of tsgun. */
  get #allFrames(): boolean {
    return this.level === "debug";
  }

  /** Reopens the file by name after log rotation. If that fails, the old file stays in use. */
  reopen(): void {
    this.#sink?.reopen();
  }

  debug(message: string, fields?: LogFields): void {
    this.#log("debug", message, undefined, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, undefined, fields);
  }

  /** The stack of `error` follows the message. */
  warning(message: string, error?: unknown, fields?: LogFields): void {
    this.#log("warning", message, error, fields);
  }

  error(message: string, error?: unknown, fields?: LogFields): void {
    this.#log("error", message, error, fields);
  }

  /** For faults after which the server cannot continue. */
  critical(message: string, error?: unknown, fields?: LogFields): void {
    this.#log("critical", message, error, fields);
  }

  /** Logs a line that the app wrote to standard output or error, whatever the log level. */
  captured(line: string, stream: "stdout" | "stderr"): void {
    const level = stream === "stdout" ? "info" : "error";
    if (this.#options.format === "json") {
      this.#openPino().child({ stream }, { level: "debug" })[level](line);
      return;
    }
    this.#write(`${line}\n`);
    this.#openSyslog()?.write(line, level);
  }

  /** Flushes everything, within a few seconds. Call before the process exits. */
  async close(): Promise<void> {
    this.#sink?.flush();
    await this.#syslog?.close();
  }

  #log(level: LogLevel, message: string, error: unknown, fields: LogFields | undefined): void {
    if (SEVERITY.indexOf(level) < SEVERITY.indexOf(this.level)) return;
    if (this.#options.format === "json")
      this.#openPino()[PINO_LEVELS[level]](withError(error, fields), message);
    else this.#writeText(level, message, error);
    for (const observe of this.#observers) observe(level, message, error);
  }

  #openPino(): Logger {
    this.#pino ??= this.#makePino();
    return this.#pino;
  }

  #makePino(): Logger {
    const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
    const { fields } = this.#options;
    const level = PINO_LEVELS[this.level];
    const stream = {
      [Symbol.for("pino.metadata")]: true,
      write: (json: string) => this.#writeJson(stream as unknown as EntryStream, json),
    };
    const serializers = { err: errorSerializer(pino.stdSerializers.err, this.#allFrames) };
    const formatters = { level: (_: string, number: number) => ({ level: LEVELS[number] }) };
    const base = { pid: process.pid, ...fields };
    return pino({ level, base, formatters, serializers, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  }

  #writeJson({ lastLevel }: EntryStream, json: string): void {
    this.#write(json);
    this.#openSyslog()?.write(json.trimEnd(), LEVELS[lastLevel] ?? "info");
  }

  #writeText(level: LogLevel, message: string, error: unknown): void {
    const entry: Entry = {
      level,
      message,
      ...(error === undefined ? {} : { error, allFrames: this.#allFrames }),
    };
    this.#openSink();
    this.#write(formatEntry(entry, new Date(), process.pid, this.#colour));
    const syslog = this.#openSyslog();
    if (syslog !== undefined) for (const line of entryLines(entry)) syslog.write(line, level);
  }

  /** Writes immediately: the entry may be the process's last. */
  #write(text: string): void {
    this.#onText?.(text);
    const sink = this.#openSink();
    // The sink takes one character per byte.
    sink.write(Buffer.from(text).toString("latin1"));
    sink.flush();
  }

  #openSink(): LineSink {
    if (this.#sink !== undefined) return this.#sink;
    const { target = STDERR } = this.#options;
    this.#colour = typeof target === "number" && wantsColour(target);
    this.#sink = this.#makeSink(target);
    if (!this.#hasExitHandler) process.once("exit", () => this.#sink?.end());
    this.#hasExitHandler = true;
    return this.#sink;
  }

  #makeSink(target: SinkTarget): LineSink {
    // Trouble is reported in the log itself: in the file once it can be written again, to syslog immediately.
    const onTrouble = (message: string): void => this.error(message);
    const onDrop = (): void => this.#onDrop?.();
    try {
      return new LineSink({ target, name: "error log", onTrouble, onDrop });
    } catch (error) {
      // After the entry that caused the log to be opened.
      queueMicrotask(() => onTrouble(`The error log cannot be opened: ${(error as Error).message}`));
      return new LineSink({ target: STDERR, name: "error log", onTrouble, onDrop });
    }
  }

  #openSyslog(): SyslogOutlet | undefined {
    const { syslog } = this.#options;
    if (syslog === undefined || this.#syslog !== undefined) return this.#syslog;
    const onUnreachable = (why: Error): void =>
      this.warning(`The syslog server cannot be reached; retrying: ${why.message}`);
    this.#syslog = new SyslogOutlet(syslog, onUnreachable);
    return this.#syslog;
  }
}

/** A syslog destination. Loads the syslog code only when one is configured. */
export class SyslogOutlet {
  readonly #loading: Promise<void>;
  #sink: SyslogSink | undefined;
  /** Lines written while the code loads. */
  #early: [line: string, level: LogLevel][] = [];

  /** `onUnreachable` is called when the server cannot be reached. */
  constructor(options: SyslogOptions, onUnreachable: (why: Error) => void = () => {}) {
    this.#loading = import("./syslog-sink.ts").then(({ SyslogSink }) => {
      this.#sink = new SyslogSink(options, { onUnreachable });
      for (const [line, level] of this.#early.splice(0)) this.#sink.write(line, level);
    });
  }

  write(line: string, level: LogLevel): void {
    if (this.#sink === undefined) this.#early.push([line, level]);
    else this.#sink.write(line, level);
  }

  async close(): Promise<void> {
    await this.#loading;
    await this.#sink?.close();
  }
}

function withError(error: unknown, fields: LogFields | undefined): { err?: unknown } {
  return error === undefined ? { ...fields } : { ...fields, err: error };
}

/** An error as pino serialises it, with the errors of an AggregateError. */
interface DescribedError {
  readonly stack?: unknown;
  readonly aggregateErrors?: readonly DescribedError[];
}

/** Serialises an error as pino does; a value that is no error, or whose properties throw, as text. */
function errorSerializer(
  describe: (error: Error) => DescribedError,
  allFrames: boolean,
): (error: unknown) => unknown {
  return (error) => {
    try {
      if (error instanceof Error) return allFrames ? describe(error) : withAppFrames(describe(error));
    } catch {
      // A getter of the error threw.
    }
    const described = describeError(error);
    const stack = allFrames ? described : appFrames(described);
    return { message: stack.split("\n", 1)[0], stack };
  };
}

function withAppFrames(error: DescribedError): DescribedError {
  const { stack, aggregateErrors } = error;
  return {
    ...error,
    ...(typeof stack === "string" && { stack: appFrames(stack) }),
    ...(aggregateErrors !== undefined && { aggregateErrors: aggregateErrors.map(withAppFrames) }),
  };
}
