/**
 * The error log: what the server has to say about itself. Every process writes to the standard error it
 * inherited, or to the log file, by itself and synchronously, so that nothing passes through the arbiter and
 * the last line before an exit is never lost. What is sent to syslog as well goes its own way and holds nothing up.
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

/** What is known beside the message: members of a JSON entry. Text, which is gunicorn's, leaves them out. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

export interface ErrorLogOptions {
  /** The least important level that is written. Default: `info`. */
  readonly level?: LogLevel;
  /** Default: `text`. */
  readonly format?: LogFormat;
  /** A file by its absolute path, or a descriptor. Default: the inherited standard error. */
  readonly target?: SinkTarget;
  /** Where every entry goes as well. */
  readonly syslog?: SyslogOptions | undefined;
  /** What every entry has. */
  readonly fields?: LogFields;
}

const STDERR = 2;

const PINO_LEVELS = {
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "fatal",
} as const;

/** pino's numbers in gunicorn's (Python's) words. */
const LEVELS: { readonly [number: number]: LogLevel } = {
  20: "debug",
  30: "info",
  40: "warning",
  50: "error",
  60: "critical",
};

/** Where pino hands over an entry: with this property set it also leaves the entry's parts on the stream. */
interface EntryStream extends DestinationStream {
  readonly [metadata: symbol]: true;
  readonly lastLevel: number;
  readonly lastMsg: string;
  readonly lastObj: { readonly err?: unknown } | null;
}

export class ErrorLog {
  #options: ErrorLogOptions;
  /** Made by the first message: loading pino is a fifth of a process's start, and a worker may have nothing to say. */
  #pino: Logger | undefined;
  #sink: LineSink | undefined;
  #syslog: SyslogOutlet | undefined;
  #colour = false;
  #endsWithProcess = false;

  constructor(options: ErrorLogOptions = {}) {
    this.#options = options;
  }

  /** From the next line on it is another log. */
  configure(options: ErrorLogOptions): void {
    const before = this.#options;
    this.#options = options;
    this.#pino = undefined;
    if (before.target !== options.target) {
      this.#sink?.close();
      this.#sink = undefined;
    }
    if (JSON.stringify(before.syslog) !== JSON.stringify(options.syslog)) {
      void this.#syslog?.close();
      this.#syslog = undefined;
    }
  }

  get level(): LogLevel {
    return this.#options.level ?? "info";
  }

  /** Whose frames a stack has: those who look for a fault of tsgun want its own. */
  get #allFrames(): boolean {
    return this.level === "debug";
  }

  /** Opens the file by its name again: it has been moved away. A name that cannot be opened keeps the old one. */
  reopen(): void {
    this.#sink?.reopen();
  }

  debug(message: string, fields?: LogFields): void {
    this.#open().debug(fields ?? {}, message);
  }

  info(message: string, fields?: LogFields): void {
    this.#open().info(fields ?? {}, message);
  }

  /** An error's stack follows the message. */
  warning(message: string, error?: unknown, fields?: LogFields): void {
    this.#open().warn(withError(error, fields), message);
  }

  error(message: string, error?: unknown, fields?: LogFields): void {
    this.#open().error(withError(error, fields), message);
  }

  /** What the server cannot live with. */
  critical(message: string, error?: unknown, fields?: LogFields): void {
    this.#open().fatal(withError(error, fields), message);
  }

  /** A line that the app has written to one of its own outputs. It is the app's, and no level hides it. */
  captured(line: string, stream: "stdout" | "stderr"): void {
    const level = stream === "stdout" ? "info" : "error";
    if (this.#options.format === "json") {
      this.#open().child({ stream }, { level: "debug" })[level](line);
      return;
    }
    this.#write(`${line}\n`);
    this.#openSyslog()?.write(line, level);
  }

  /** Resolves when everything is out, a few seconds later at most. To be called before the process exits. */
  async close(): Promise<void> {
    this.#sink?.flush();
    await this.#syslog?.close();
  }

  #open(): Logger {
    this.#pino ??= this.#makePino();
    return this.#pino;
  }

  #makePino(): Logger {
    const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
    const { format, fields } = this.#options;
    const level = PINO_LEVELS[this.level];
    const stream = {
      [Symbol.for("pino.metadata")]: true,
      write: (json: string) => this.#takeEntry(stream as unknown as EntryStream, json),
    };
    // Text is made of the entry's parts: pino need not say them.
    if (format !== "json")
      return pino({ level, base: null, timestamp: false, serializers: { err: () => null } }, stream);
    const serializers = { err: plainError(pino.stdSerializers.err, this.#allFrames) };
    const formatters = { level: (_: string, number: number) => ({ level: LEVELS[number] }) };
    const base = { pid: process.pid, ...fields };
    return pino({ level, base, formatters, serializers, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  }

  #takeEntry({ lastLevel, lastMsg, lastObj }: EntryStream, json: string): void {
    const level = LEVELS[lastLevel] ?? "info";
    if (this.#options.format === "json") {
      this.#write(json);
      this.#openSyslog()?.write(json.trimEnd(), level);
      return;
    }
    const error = lastObj?.err;
    const entry: Entry = {
      level,
      message: lastMsg,
      ...(error === undefined ? {} : { error, allFrames: this.#allFrames }),
    };
    this.#openSink();
    this.#write(formatEntry(entry, new Date(), process.pid, this.#colour));
    const syslog = this.#openSyslog();
    if (syslog !== undefined) for (const line of entryLines(entry)) syslog.write(line, level);
  }

  /** Each process writes its entries at once and whole: they may be its last. */
  #write(text: string): void {
    const sink = this.#openSink();
    // The sink's characters are bytes.
    sink.write(Buffer.from(text).toString("latin1"));
    sink.flush();
  }

  #openSink(): LineSink {
    if (this.#sink !== undefined) return this.#sink;
    const { target = STDERR } = this.#options;
    this.#colour = typeof target === "number" && wantsColour(target);
    this.#sink = this.#makeSink(target);
    if (!this.#endsWithProcess) process.once("exit", () => this.#sink?.end());
    this.#endsWithProcess = true;
    return this.#sink;
  }

  #makeSink(target: SinkTarget): LineSink {
    // Told in the log itself, that is: when it can be written again, and to syslog at once.
    const onTrouble = (message: string): void => this.error(message);
    try {
      return new LineSink({ target, name: "error log", onTrouble });
    } catch (error) {
      // Behind the entry that this is opened for.
      queueMicrotask(() => onTrouble(`The error log cannot be opened: ${(error as Error).message}`));
      return new LineSink({ target: STDERR, name: "error log", onTrouble });
    }
  }

  #openSyslog(): SyslogOutlet | undefined {
    const { syslog } = this.#options;
    if (syslog === undefined || this.#syslog !== undefined) return this.#syslog;
    const away = (why: Error): void =>
      this.warning(`The syslog server cannot be reached, it is tried again: ${why.message}`);
    this.#syslog = new SyslogOutlet(syslog, away);
    return this.#syslog;
  }
}

/** The way to syslog, whose code is loaded only by a log that goes there. */
export class SyslogOutlet {
  readonly #loading: Promise<void>;
  #sink: SyslogSink | undefined;
  /** What was written meanwhile. */
  #early: [line: string, level: LogLevel][] = [];

  /** `away` hears of a server that cannot be reached. */
  constructor(options: SyslogOptions, away: (why: Error) => void = () => {}) {
    this.#loading = import("./syslog-sink.ts").then(({ SyslogSink }) => {
      this.#sink = new SyslogSink(options, { away });
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

/** What pino makes of an error; the errors of an AggregateError are below it. */
interface DescribedError {
  readonly stack?: unknown;
  readonly aggregateErrors?: readonly DescribedError[];
}

/** An error as pino describes it; what is no error, and what cannot be looked at, as text. */
function plainError(
  describe: (error: Error) => DescribedError,
  allFrames: boolean,
): (error: unknown) => unknown {
  return (error) => {
    try {
      if (error instanceof Error) return allFrames ? describe(error) : ofTheApp(describe(error));
    } catch {
      // An error's own properties may throw.
    }
    const described = describeError(error);
    const stack = allFrames ? described : appFrames(described);
    return { message: stack.split("\n", 1)[0], stack };
  };
}

function ofTheApp(error: DescribedError): DescribedError {
  const { stack, aggregateErrors } = error;
  return {
    ...error,
    ...(typeof stack === "string" && { stack: appFrames(stack) }),
    ...(aggregateErrors !== undefined && { aggregateErrors: aggregateErrors.map(ofTheApp) }),
  };
}
