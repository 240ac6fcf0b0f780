/**
 * Where the lines of a log go: a file that other processes append to as well, a pipe, a terminal. Lines are
 * gathered and written synchronously, in whole lines, between the turns of the event loop: nothing is ever
 * under way, so nothing can be lost at an exit, or doubled when the file is reopened. What cannot be
 * written waits within a bound; beyond it lines are dropped, counted and told of.
 */
import { closeSync, fstatSync, writeSync } from "node:fs";
import { openAppending } from "./appended-file.ts";
import { InheritedDescriptor } from "./inherited-descriptor.ts";

/** A file by its absolute path, or a descriptor that the process has inherited. */
export type SinkTarget = string | number;

export interface LineSinkOptions {
  readonly target: SinkTarget;
  /** For people, in errors: `access log`. */
  readonly name: string;
  /** Takes what is to be said of lines that cannot be written, one line. */
  readonly onTrouble: (message: string) => void;
  /** Most bytes that wait while nothing can be written. Default: 8 MiB. */
  readonly backlog?: number;
}

/** What a line waits for company, at most, in milliseconds; one that comes alone is written at once. */
const GATHER_MS = 100;
/** So many bytes are not gathered any longer. */
const GATHER_BYTES = 32_768;
/** The most that a pipe takes in one piece, in bytes; a larger write may be mixed with another process's. */
const PIPE_BUF = 4096;
const BACKLOG = 8 * 1024 * 1024;
/** When a full pipe is tried again, and anything else that fails, in milliseconds. */
const FULL_RETRY_MS = 20;
const FAILED_RETRY_MS = 1000;
/** How long an exiting process tries to get its last lines into a full pipe, in milliseconds. */
const END_PATIENCE_MS = 2000;
/** A pipe that has taken nothing for so long, in milliseconds, is read by nobody: an exiting process does not wait for it. */
const UNREAD_MS = 1000;
const END_PAUSE_MS = 5;
const LINE_FEED = 0x0a;

/** The names under which programs in containers are given their own output. */
const OWN_OUTPUT: { readonly [path: string]: number } = { "/dev/stdout": 1, "/dev/stderr": 2 };

/** What `target` means: `-` and the names of the process's own output are descriptors. */
export function sinkTarget(target: string): SinkTarget {
  return target === "-" ? 1 : (OWN_OUTPUT[target] ?? target);
}

/** Whether a large write may be mixed with another process's. */
function isPipe(fd: number): boolean {
  const stats = fstatSync(fd);
  return stats.isFIFO() || stats.isSocket();
}

export class LineSink {
  readonly #target: SinkTarget;
  readonly #name: string;
  readonly #onTrouble: (message: string) => void;
  readonly #most: number;
  readonly #inherited: InheritedDescriptor | undefined;
  #fd: number;
  #isPipe: boolean;
  /** Lines that no write has been tried for. */
  #text = "";
  /** Lines that could not be written yet, from `#from` on. */
  #waiting: Buffer | undefined;
  #from = 0;
  /** What is wrong with the latest write; undefined when nothing is. */
  #trouble: string | undefined;
  /** Since when nothing could be written; undefined where the latest write took something. */
  #stuckSince: number | undefined;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @throws the system's error, when it cannot be opened */
  constructor(options: LineSinkOptions) {
    this.#target = options.target;
    this.#name = options.name;
    this.#onTrouble = options.onTrouble;
    this.#most = options.backlog ?? BACKLOG;
    if (typeof options.target === "number") this.#inherited = new InheritedDescriptor(options.target);
    this.#fd = this.#inherited?.fd ?? openAppending(options.target as string);
    this.#isPipe = isPipe(this.#fd);
  }

  /** Takes one line, with its line feed; each character is a byte. */
  write(line: string): void {
    if (this.#trouble !== undefined && this.#pending + line.length > this.#most) {
      this.#drop();
      return;
    }
    this.#text += line;
    if (this.#timer === undefined) this.#begin();
    else if (this.#text.length >= GATHER_BYTES && this.#trouble === undefined) this.flush();
  }

  #drop(): void {
    this.#dropped += 1;
    if (this.#dropped > 1 || this.#trouble !== "EAGAIN") return;
    this.#tell("is not read as fast as it is written: lines are dropped");
    // Where this is the log that it is told in, the news itself was dropped: it is nobody's line.
    this.#dropped = 1;
  }

  get #pending(): number {
    return this.#text.length + (this.#waiting === undefined ? 0 : this.#waiting.length - this.#from);
  }

  /** The first line in a while goes out behind this turn of the event loop; those behind it are gathered. */
  #begin(): void {
    if (this.#ended) {
      this.flush();
      return;
    }
    setImmediate(() => this.flush());
    this.#wait(GATHER_MS);
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#due(), milliseconds).unref();
  }

  #due(): void {
    this.#timer = undefined;
    if (this.#pending === 0) return;
    this.flush();
    if (this.#trouble === undefined) this.#wait(GATHER_MS);
    else this.#wait(this.#trouble === "EAGAIN" ? FULL_RETRY_MS : FAILED_RETRY_MS);
  }

  /** Writes what there is, as far as it can be written without waiting. Throws nothing. */
  flush(): void {
    try {
      this.#inherited?.unblock();
      while (this.#take()) this.#writeSome();
      if (this.#trouble !== undefined) this.#recovered();
    } catch (error) {
      this.#failed((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  /** Turns text into bytes, if there are none left; false when there is nothing to write. */
  #take(): boolean {
    if (this.#waiting !== undefined) return true;
    if (this.#text === "") return false;
    this.#waiting = Buffer.from(this.#text, "latin1");
    this.#text = "";
    this.#from = 0;
    return true;
  }

  #writeSome(): void {
    const bytes = this.#waiting as Buffer;
    const end = this.#isPipe ? this.#pieceEnd(bytes) : bytes.length;
    this.#from += writeSync(this.#fd, bytes, this.#from, end - this.#from);
    this.#stuckSince = undefined;
    if (this.#from === bytes.length) this.#waiting = undefined;
  }

  /** As many whole lines as a pipe takes in one piece; a longer line alone. */
  #pieceEnd(bytes: Buffer): number {
    if (bytes.length - this.#from <= PIPE_BUF) return bytes.length;
    const last = bytes.lastIndexOf(LINE_FEED, this.#from + PIPE_BUF - 1);
    return (last >= this.#from ? last : bytes.indexOf(LINE_FEED, this.#from)) + 1;
  }

  #failed(code: string): void {
    const before = this.#trouble;
    this.#trouble = code;
    this.#stuckSince ??= performance.now();
    // A pipe that is full for a moment is no news; lines that are dropped are.
    if (before === undefined && code !== "EAGAIN") this.#tell(`cannot be written (${code})`);
  }

  #recovered(): void {
    const dropped = this.#dropped;
    const silent = this.#trouble === "EAGAIN" && dropped === 0;
    this.#trouble = undefined;
    this.#dropped = 0;
    if (!silent) this.#tell(`is written again; lines dropped meanwhile: ${dropped}`);
  }

  #tell(what: string): void {
    this.#onTrouble(`The ${this.#name} ${this.#place()} ${what}`);
  }

  #place(): string {
    if (typeof this.#target === "string") return this.#target;
    return this.#target === 1 ? "on the standard output" : "on the standard error";
  }

  /**
   * Opens a file by its name again, which has been moved away. What was written until here is in the old one, all
   * else will be in the new one, and a line that was written in part is there as a whole. A name that cannot be opened
   * keeps the old file.
   */
  reopen(): void {
    if (typeof this.#target === "number" || !fstatSync(this.#fd).isFile()) return;
    this.flush();
    let fd: number;
    try {
      fd = openAppending(this.#target);
    } catch (error) {
      this.#tell(`could not be reopened (${(error as Error).message}): the old file is written on`);
      return;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#isPipe = isPipe(fd);
    if (this.#waiting !== undefined && this.#from > 0)
      this.#from = this.#waiting.lastIndexOf(LINE_FEED, this.#from - 1) + 1;
    this.flush();
  }

  /** For the end of the process: gets out what there is, waiting a little for a full pipe. Later lines go at once. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    this.flush();
    const end = performance.now() + END_PATIENCE_MS;
    while (this.#mayBeRead() && performance.now() < end) {
      Atomics.wait(sleep, 0, 0, END_PAUSE_MS);
      this.flush();
    }
    if (this.#trouble === undefined) return;
    const left = this.#text.split("\n").length - 1 + this.#linesWaiting();
    this.#tell(`cannot be written (${this.#trouble}); lines lost at the end: ${this.#dropped + left}`);
  }

  /** It is full, and its reader may only be slow. */
  #mayBeRead(): boolean {
    if (this.#trouble !== "EAGAIN" || this.#stuckSince === undefined) return false;
    return performance.now() - this.#stuckSince < UNREAD_MS;
  }

  /** Writes what there is and closes the file. Nothing can be written any more. */
  close(): void {
    this.end();
    if (this.#inherited === undefined) closeSync(this.#fd);
    else this.#inherited.close();
  }

  #linesWaiting(): number {
    return (this.#waiting?.toString("latin1", this.#from).split("\n").length ?? 1) - 1;
  }
}
