/**
 * Writes log lines to a file that other processes append to as well, a pipe or a terminal. Lines are batched and
 * written synchronously, as whole lines, between turns of the event loop: no write is ever in progress, so nothing is
 * lost at exit or written twice on reopen. Lines that cannot be written wait in a bounded backlog; beyond it they are
 * dropped, counted and reported.
 *
 * A full disk takes the beginning of a line and refuses the rest. The line is repeated in full once there is room, and
 * whoever finds a fragment ends it first: its writer, or after its death the next process that opens the file.
 */
import { closeSync, fstatSync, statSync, writeSync } from "node:fs";
import { endsInsideLine, openAppending } from "./appended-file.ts";
import { InheritedDescriptor } from "./inherited-descriptor.ts";

/** Absolute path of a file, or an inherited descriptor. */
export type SinkTarget = string | number;

export interface LineSinkOptions {
  readonly target: SinkTarget;
  /** Name for messages: `access log`. */
  readonly name: string;
  /** Called with a one-line message about lines that cannot be written. */
  readonly onTrouble: (message: string) => void;
  /** Called for each line that is dropped, or lost at the end. */
  readonly onDrop?: (() => void) | undefined;
  /** Bytes that may wait while writes fail. Default: 8 MiB. */
  readonly backlog?: number;
}

/** Longest time a line waits to be batched; a line that comes alone is written at once. */
const BATCH_DELAY_MS = 100;
/** Size at which a batch is written without further delay. */
const BATCH_BYTES = 32_768;
/** Largest atomic write to a pipe, in bytes; a larger one may interleave with another process's. */
const PIPE_BUF = 4096;
const DEFAULT_BACKLOG_BYTES = 8 * 1024 * 1024;
/** Delay before the next try: for a full pipe, and for any other failure. */
const FULL_RETRY_MS = 20;
const FAILED_RETRY_MS = 1000;
/** The same while a fragment is at the end of the file, which other processes append to once there is room. */
const FRAGMENT_RETRY_MS = 100;
/** How long an exiting process tries to write its last lines to a full pipe. */
const EXIT_FLUSH_TIMEOUT_MS = 2000;
/** A pipe that accepted nothing for this long has no active reader: an exiting process does not wait for it. */
const UNREAD_TIMEOUT_MS = 1000;
const EXIT_RETRY_MS = 5;
const LINE_FEED = 0x0a;

/** The names that programs in containers use for their own output. */
const OWN_OUTPUT: { readonly [path: string]: number } = { "/dev/stdout": 1, "/dev/stderr": 2 };

/** Resolves a setting's value: `-` and the names of the process's own output become descriptors. */
export function sinkTarget(target: string): SinkTarget {
  return target === "-" ? 1 : (OWN_OUTPUT[target] ?? target);
}

/** In a pipe, large writes may interleave with those of other processes. */
function kindOf(fd: number): "pipe" | "file" | "device" {
  const stats = fstatSync(fd);
  if (stats.isFIFO() || stats.isSocket()) return "pipe";
  return stats.isFile() ? "file" : "device";
}

export class LineSink {
  readonly #target: SinkTarget;
  readonly #name: string;
  readonly #onTrouble: (message: string) => void;
  readonly #onDrop: (() => void) | undefined;
  readonly #maxBacklog: number;
  readonly #inherited: InheritedDescriptor | undefined;
  #fd: number;
  #kind: ReturnType<typeof kindOf>;
  /** The file may end inside a line. */
  #mayEndInside: boolean;
  /** The fragment there is the beginning of a line that this sink repeats. */
  #isCut = false;
  /** Lines not yet passed to a write. */
  #text = "";
  /** Lines being written; the bytes before `#offset` are out. */
  #buffer: Buffer | undefined;
  #offset = 0;
  /** Error code of the latest write; undefined after a success. */
  #trouble: string | undefined;
  /** When writes began to fail; undefined after a write that wrote anything. */
  #stuckSince: number | undefined;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @throws a system error if the target cannot be opened */
  constructor(options: LineSinkOptions) {
    this.#target = options.target;
    this.#name = options.name;
    this.#onTrouble = options.onTrouble;
    this.#onDrop = options.onDrop;
    this.#maxBacklog = options.backlog ?? DEFAULT_BACKLOG_BYTES;
    if (typeof options.target === "number") this.#inherited = new InheritedDescriptor(options.target);
    this.#fd = this.#inherited?.fd ?? openAppending(options.target as string);
    this.#kind = kindOf(this.#fd);
    this.#mayEndInside = this.#findsFragment();
    if (this.#mayEndInside) this.#schedule();
  }

  /** It may as well be a line that another process is writing at this moment, so that the next flush looks again. */
  #findsFragment(): boolean {
    return this.#kind === "file" && endsInsideLine(this.#fd) === true;
  }

  /** Queues one line, including its line feed; one character per byte. */
  write(line: string): void {
    if (this.#trouble !== undefined && this.#pending + line.length > this.#maxBacklog) {
      this.#drop();
      return;
    }
    this.#text += line;
    if (this.#timer === undefined) this.#schedule();
    else if (this.#text.length >= BATCH_BYTES && this.#trouble === undefined) this.flush();
  }

  #drop(): void {
    this.#dropped += 1;
    this.#onDrop?.();
    if (this.#dropped > 1 || this.#trouble !== "EAGAIN") return;
    this.#report("is not read as fast as it is written: lines are dropped");
    // If this sink is the error log, the report itself was just dropped: do not count it.
    this.#dropped = 1;
  }

  get #pending(): number {
    return this.#text.length + (this.#buffer === undefined ? 0 : this.#buffer.length - this.#offset);
  }

  /** Writes the first line after a pause at the end of this turn of the event loop, and batches those that follow. */
  #schedule(): void {
    if (this.#ended) {
      this.flush();
      return;
    }
    setImmediate(() => this.flush());
    this.#startTimer(BATCH_DELAY_MS);
  }

  #startTimer(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#onTimer(), milliseconds).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#pending === 0 && !this.#mayEndInside) return;
    this.flush();
    this.#startTimer(this.#delay());
  }

  #delay(): number {
    if (this.#trouble === undefined) return BATCH_DELAY_MS;
    if (this.#trouble === "EAGAIN") return FULL_RETRY_MS;
    return this.#isCut ? FRAGMENT_RETRY_MS : FAILED_RETRY_MS;
  }

  /** Writes as much as possible without blocking. Never throws. */
  flush(): void {
    try {
      this.#inherited?.unblock();
      if (this.#mayEndInside) this.#endFragment();
      while (this.#encode()) this.#writeSome();
      if (this.#trouble !== undefined) this.#onRecovery();
    } catch (error) {
      this.#onFailure((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  #endFragment(): void {
    if (endsInsideLine(this.#fd) ?? this.#isCut) writeSync(this.#fd, "\n");
    this.#mayEndInside = false;
    this.#isCut = false;
  }

  /** Encodes the queued text once the previous buffer is out. Returns false if there is nothing to write. */
  #encode(): boolean {
    if (this.#buffer !== undefined) return true;
    if (this.#text === "") return false;
    this.#buffer = Buffer.from(this.#text, "latin1");
    this.#text = "";
    this.#offset = 0;
    return true;
  }

  #writeSome(): void {
    const bytes = this.#buffer as Buffer;
    const end = this.#kind === "pipe" ? this.#pieceEnd(bytes) : bytes.length;
    this.#offset += writeSync(this.#fd, bytes, this.#offset, end - this.#offset);
    this.#stuckSince = undefined;
    if (this.#offset === bytes.length) this.#buffer = undefined;
  }

  /** End of the whole lines that fit an atomic pipe write; a longer line goes alone. */
  #pieceEnd(bytes: Buffer): number {
    if (bytes.length - this.#offset <= PIPE_BUF) return bytes.length;
    const last = bytes.lastIndexOf(LINE_FEED, this.#offset + PIPE_BUF - 1);
    return (last >= this.#offset ? last : bytes.indexOf(LINE_FEED, this.#offset)) + 1;
  }

  #onFailure(code: string): void {
    const before = this.#trouble;
    this.#trouble = code;
    this.#stuckSince ??= performance.now();
    if (this.#kind === "file") this.#onCut();
    // A briefly full pipe is not worth a message; dropped lines are.
    if (before === undefined && code !== "EAGAIN") this.#report(`cannot be written (${code})`);
  }

  /** Another process may have left a fragment even if this one has not. */
  #onCut(): void {
    this.#mayEndInside = true;
    this.#isCut = this.#repeatLine() || this.#isCut;
  }

  /** Goes back to the beginning of a line of which a part has been written. Returns whether there is one. */
  #repeatLine(): boolean {
    if (this.#buffer === undefined || this.#offset === 0) return false;
    const begin = this.#buffer.lastIndexOf(LINE_FEED, this.#offset - 1) + 1;
    const isCut = begin < this.#offset;
    this.#offset = begin;
    return isCut;
  }

  #onRecovery(): void {
    const dropped = this.#dropped;
    const silent = this.#trouble === "EAGAIN" && dropped === 0;
    this.#trouble = undefined;
    this.#dropped = 0;
    if (!silent) this.#report(`can be written again; lines dropped meanwhile: ${dropped}`);
  }

  #report(what: string): void {
    this.#onTrouble(`The ${this.#name} ${this.#targetName()} ${what}`);
  }

  #targetName(): string {
    if (typeof this.#target === "string") return this.#target;
    return this.#target === 1 ? "on the standard output" : "on the standard error";
  }

  /**
   * Reopens the file by name after log rotation. Lines written so far are in the old file, later ones go to the new
   * one, and a partly written line is repeated there in full. If the name cannot be opened, the old file stays in use.
   * A pipe or a device that still has the name stays open: the reader of a pipe would see its end.
   */
  reopen(): void {
    if (typeof this.#target === "number" || this.#isStillNamed(this.#target)) return;
    this.flush();
    let fd: number;
    try {
      fd = openAppending(this.#target);
    } catch (error) {
      this.#report(`could not be reopened (${(error as Error).message}): still writing to the old file`);
      return;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#kind = kindOf(fd);
    this.#repeatLine();
    this.#isCut = false;
    this.#mayEndInside = this.#findsFragment();
    this.flush();
  }

  /** Whether it writes to a pipe or a device that the name leads to. */
  #isStillNamed(name: string): boolean {
    const open = fstatSync(this.#fd);
    if (open.isFile()) return false;
    const named = statSync(name, { throwIfNoEntry: false });
    return named?.dev === open.dev && named.ino === open.ino;
  }

  /** Call when the process ends: writes all pending lines, waiting briefly for a full pipe. Later lines are written at once. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    this.flush();
    const end = performance.now() + EXIT_FLUSH_TIMEOUT_MS;
    while (this.#mayDrain() && performance.now() < end) {
      Atomics.wait(sleep, 0, 0, EXIT_RETRY_MS);
      this.flush();
    }
    if (this.#trouble === undefined) return;
    const left = this.#text.split("\n").length - 1 + this.#linesInBuffer();
    for (let lost = 0; lost < left; lost += 1) this.#onDrop?.();
    this.#report(`cannot be written (${this.#trouble}); lines lost at the end: ${this.#dropped + left}`);
  }

  /** Whether the pipe is full and its reader may merely be slow. */
  #mayDrain(): boolean {
    if (this.#trouble !== "EAGAIN" || this.#stuckSince === undefined) return false;
    return performance.now() - this.#stuckSince < UNREAD_TIMEOUT_MS;
  }

  /** Writes all pending lines and closes the file. Do not write afterwards. */
  close(): void {
    this.end();
    if (this.#inherited === undefined) closeSync(this.#fd);
    else this.#inherited.close();
  }

  #linesInBuffer(): number {
    return (this.#buffer?.toString("latin1", this.#offset).split("\n").length ?? 1) - 1;
  }
}
