/**
 * Sends lines to a syslog server. While the server is unreachable or slow, they wait in a bounded queue that drops the
 * oldest; the server is later told how many were lost. Reconnects with increasing delays. Callers never wait.
 */
import { hostname } from "node:os";
import type { LogLevel } from "./log-level.ts";
import { type MessageLink, type MessageTarget, openLink } from "./message-link.ts";
import {
  localMessage,
  networkMessage,
  type SyslogFacility,
  type SyslogSender,
  syslogTag,
} from "./syslog-format.ts";

export interface SyslogOptions {
  readonly target: MessageTarget;
  readonly facility: SyslogFacility;
  /** Parts of the program's name, from general to specific. */
  readonly name: readonly string[];
}

export interface SyslogEvents {
  /** Called when the server becomes unreachable or refuses, not for every failed try. */
  readonly onUnreachable?: (why: Error) => void;
}

/** Size of the queue. */
const MAX_QUEUE_BYTES = 1024 * 1024;
/** Delays before reconnecting, which double from the first to the last, and before retrying a slow server. */
const FIRST_RECONNECT_DELAY_MS = 100;
const MAX_RECONNECT_DELAY_MS = 10_000;
const SLOW_SERVER_RETRY_MS = 2;
/** Trouble is reported again after this long without any. */
const QUIET_PERIOD_MS = 60_000;
/** How long flushing the queue may take at the end. */
const FLUSH_TIMEOUT_MS = 1000;

export class SyslogSink {
  readonly #target: MessageTarget;
  readonly #sender: SyslogSender;
  readonly #onUnreachable: (why: Error) => void;
  #link: MessageLink | undefined;
  #opening = false;
  #closed = false;
  /** Time of the last failure, by `performance.now()`. */
  #troubleAt = Number.NEGATIVE_INFINITY;
  #reconnectDelay = FIRST_RECONNECT_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #lost = 0;
  /** Called when the queue is empty. */
  #onEmpty: (() => void)[] = [];

  /** Connects with the first line. */
  constructor({ target, facility, name }: SyslogOptions, { onUnreachable = () => {} }: SyslogEvents = {}) {
    this.#target = target;
    this.#sender = { facility, tag: syslogTag(...name), pid: process.pid, host: hostname() };
    this.#onUnreachable = onUnreachable;
  }

  /** Queues one line, without a line feed. Neither throws nor blocks. */
  write(line: string, level: LogLevel): void {
    if (this.#closed) return;
    this.#enqueue(this.#messageOf(line, level));
  }

  /** Resolves when all lines so far are sent, or after a second. Never rejects. */
  async flush(): Promise<void> {
    if (this.#queue.length === 0) return;
    await withFlushTimeout(new Promise((resolve) => this.#onEmpty.push(resolve)));
  }

  /** Flushes and closes the connection. Later lines are lost. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Retry now: the current delay may be longer than the time left.
    if (this.#queue.length > 0 && !this.#opening) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#drain();
    }
    await this.flush();
    clearTimeout(this.#timer);
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) await withFlushTimeout(link.close());
  }

  #messageOf(line: string, level: LogLevel): Buffer {
    const format = this.#target.transport === "unix" ? localMessage : networkMessage;
    return format(line, level, this.#sender, new Date());
  }

  #enqueue(message: Buffer): void {
    if (this.#queue.length === 0 && this.#link?.send(message) === true) return;
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    while (this.#queuedBytes > MAX_QUEUE_BYTES) {
      this.#queuedBytes -= (this.#queue.shift() as Buffer).length;
      this.#lost += 1;
    }
    this.#schedule();
  }

  /** Schedules the next try: connects now, or retries a slow server shortly. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#opening) return;
    if (this.#link === undefined) this.#open();
    else this.#after(SLOW_SERVER_RETRY_MS, () => this.#drain());
  }

  #open(): void {
    this.#opening = true;
    openLink(this.#target, (why) => this.#onBroken(why)).then(
      (link) => {
        this.#opening = false;
        this.#link = link;
        this.#drain();
      },
      (error: Error) => {
        this.#opening = false;
        this.#onBroken(error);
      },
    );
  }

  #onBroken(why: Error | undefined): void {
    this.#link = undefined;
    if (why !== undefined) this.#reportTrouble(why);
    clearTimeout(this.#timer);
    this.#after(this.#reconnectDelay, () => this.#drain());
    this.#reconnectDelay = Math.min(MAX_RECONNECT_DELAY_MS, this.#reconnectDelay * 2);
  }

  #reportTrouble(why: Error): void {
    const now = performance.now();
    const isNews = now - this.#troubleAt > QUIET_PERIOD_MS;
    this.#troubleAt = now;
    // The report itself may come back here as the next line.
    if (isNews && !this.#closed) this.#onUnreachable(why);
  }

  #after(milliseconds: number, act: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, milliseconds).unref();
  }

  #drain(): void {
    if (this.#lost > 0 && this.#link !== undefined) this.#sendLossNotice();
    let sent = 0;
    while (sent < this.#queue.length && this.#link?.send(this.#queue[sent] as Buffer) === true) sent++;
    if (sent > 0) {
      for (const message of this.#queue.splice(0, sent)) this.#queuedBytes -= message.length;
      this.#reconnectDelay = FIRST_RECONNECT_DELAY_MS;
    }
    if (this.#queue.length > 0) {
      this.#schedule();
      return;
    }
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #sendLossNotice(): void {
    const line = `${this.#lost} lines were lost while the syslog server was unreachable`;
    if (this.#link?.send(this.#messageOf(line, "warning")) === true) this.#lost = 0;
  }
}

/** Waits for `done`, at most for the flush timeout. */
async function withFlushTimeout(done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_TIMEOUT_MS);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
