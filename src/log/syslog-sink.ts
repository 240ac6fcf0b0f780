/**
 * Lines to a syslog server. While it is away, or behind, they wait in a bounded queue, the oldest give way, and the
 * server hears how many were lost; the way to it is opened anew with growing pauses. Nobody waits for any of it.
 */
import { hostname } from "node:os";
import type { LogLevel } from "./log-level.ts";
import {
  localMessage,
  networkMessage,
  type SyslogFacility,
  type SyslogSender,
  syslogTag,
} from "./syslog-format.ts";
import { openLink, type SyslogLink, type SyslogTarget } from "./syslog-link.ts";

export interface SyslogOptions {
  readonly target: SyslogTarget;
  readonly facility: SyslogFacility;
  /** What makes the program's name, from the general to the particular. */
  readonly name: readonly string[];
}

export interface SyslogEvents {
  /** The server is away, or refuses; called when that is news, and not over and over. */
  readonly away?: (why: Error) => void;
}

/** How many bytes of messages may wait. */
const MOST_WAITING = 1024 * 1024;
/** Pauses before the way is opened anew, and before a server that is behind is tried again, in milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
const BEHIND_PAUSE = 2;
/** Trouble is news again after a quiet time, in milliseconds. */
const QUIET_TIME = 60_000;
/** How long what waits may take at the end, in milliseconds. */
const FLUSH_TIME = 1000;

export class SyslogSink {
  readonly #target: SyslogTarget;
  readonly #sender: SyslogSender;
  readonly #away: (why: Error) => void;
  #link: SyslogLink | undefined;
  #opening = false;
  #closed = false;
  /** When the way was last in trouble, by `performance.now()`. */
  #troubleAt = Number.NEGATIVE_INFINITY;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lost = 0;
  /** Called when nothing waits any more. */
  #emptied: (() => void)[] = [];

  /** Nothing is opened before the first line. */
  constructor({ target, facility, name }: SyslogOptions, { away = () => {} }: SyslogEvents = {}) {
    this.#target = target;
    this.#sender = { facility, tag: syslogTag(...name), pid: process.pid, host: hostname() };
    this.#away = away;
  }

  /** Takes one line, without a line feed. Neither throws nor waits. */
  write(line: string, level: LogLevel): void {
    if (this.#closed) return;
    this.#take(this.#messageOf(line, level));
  }

  /** Resolves when everything taken so far is handed over, or a second later if that is not to be. Never rejects. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await withinFlushTime(new Promise((resolve) => this.#emptied.push(resolve)));
  }

  /** Flushes, and gives up what is open. What is written behind it is lost. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // One more try at once: the next pause may be longer than there is time.
    if (this.#waiting.length > 0 && !this.#opening) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#drain();
    }
    await this.flush();
    clearTimeout(this.#timer);
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) await withinFlushTime(link.close());
  }

  #messageOf(line: string, level: LogLevel): Buffer {
    const format = this.#target.transport === "unix" ? localMessage : networkMessage;
    return format(line, level, this.#sender, new Date());
  }

  #take(message: Buffer): void {
    if (this.#waiting.length === 0 && this.#link?.send(message) === true) return;
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    while (this.#waitingBytes > MOST_WAITING) {
      this.#waitingBytes -= (this.#waiting.shift() as Buffer).length;
      this.#lost += 1;
    }
    this.#seeTo();
  }

  /** Sees to it that what waits is tried again: now by opening the way, or a little later. */
  #seeTo(): void {
    if (this.#timer !== undefined || this.#opening) return;
    if (this.#link === undefined) void this.#open();
    else this.#after(BEHIND_PAUSE, () => this.#drain());
  }

  async #open(): Promise<void> {
    this.#opening = true;
    try {
      const link = await openLink(this.#target, (why) => this.#broken(why));
      this.#opening = false;
      this.#link = link;
      this.#drain();
    } catch (error) {
      this.#opening = false;
      this.#broken(error as Error);
    }
  }

  #broken(why: Error | undefined): void {
    this.#link = undefined;
    if (why !== undefined) this.#tellTrouble(why);
    clearTimeout(this.#timer);
    this.#after(this.#pause, () => this.#drain());
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
  }

  #tellTrouble(why: Error): void {
    const now = performance.now();
    const isNews = now - this.#troubleAt > QUIET_TIME;
    this.#troubleAt = now;
    // What is said of it may come back here, as the next line.
    if (isNews && !this.#closed) this.#away(why);
  }

  #after(milliseconds: number, act: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, milliseconds).unref();
  }

  #drain(): void {
    if (this.#lost > 0 && this.#link !== undefined) this.#tellLoss();
    let sent = 0;
    while (sent < this.#waiting.length && this.#link?.send(this.#waiting[sent] as Buffer) === true) sent++;
    if (sent > 0) {
      for (const message of this.#waiting.splice(0, sent)) this.#waitingBytes -= message.length;
      this.#pause = FIRST_PAUSE;
    }
    if (this.#waiting.length > 0) {
      this.#seeTo();
      return;
    }
    for (const resolve of this.#emptied.splice(0)) resolve();
  }

  #tellLoss(): void {
    const line = `${this.#lost} lines were lost while the syslog server was away`;
    if (this.#link?.send(this.#messageOf(line, "warning")) === true) this.#lost = 0;
  }
}

/** Waits for it, but not for long. */
async function withinFlushTime(done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_TIME);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
