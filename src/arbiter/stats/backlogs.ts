/**
 * The accept queues of the listening sockets. The kernel's table has a line for each connection of the machine, so it is
 * read only while the server works or somebody asks, and the more seldom the longer it takes.
 */
import { acceptQueues } from "../../system/accept-queues.ts";
import { settledWithin } from "../settled-within.ts";
import type { Listener } from "../sockets/bind.ts";

/** At most this share of the time goes into reading. */
const MAX_SHARE = 0.02;
const FRESH_MS = 500;
/** Answers do not wait longer for a new reading. */
const MAX_WAIT_MS = 50;

export class Backlogs {
  readonly #listeners: () => readonly Listener[];
  readonly #read: typeof acceptQueues;
  #waiting = new Map<number, number | undefined>();
  #readAt = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #pending: Promise<void> | undefined;

  constructor(listeners: () => readonly Listener[], read: typeof acceptQueues = acceptQueues) {
    this.#listeners = listeners;
    this.#read = read;
  }

  /** The sum of all listeners as last read; null if unknown. Reads again in the background while the server is busy. */
  sample(isBusy: boolean): number | null {
    const isAffordable = performance.now() - this.#readAt > this.#tookMs / MAX_SHARE;
    const isNeeded = isBusy || this.#readAt === Number.NEGATIVE_INFINITY || this.#sum() !== 0;
    if (isAffordable && isNeeded) this.#pending ??= this.#begin();
    return this.#sum();
  }

  /** Reads again if the last reading is old. Resolves within a moment, whatever hangs. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#readAt < FRESH_MS) return;
    this.#pending ??= this.#begin();
    await settledWithin(this.#pending, MAX_WAIT_MS);
  }

  /** Connections that wait on a listener; null if unknown. */
  of(listener: Listener): number | null {
    return this.#waiting.get(listener.descriptor) ?? null;
  }

  #sum(): number | null {
    let sum: number | null = null;
    for (const waiting of this.#waiting.values()) if (waiting !== undefined) sum = (sum ?? 0) + waiting;
    return sum;
  }

  async #begin(): Promise<void> {
    const beganAt = performance.now();
    const listeners = this.#listeners();
    const sockets = listeners.map(({ descriptor, url }) => ({ descriptor, path: unixPath(url) }));
    try {
      const waiting = await this.#read(sockets);
      this.#waiting = new Map(listeners.map(({ descriptor }, index) => [descriptor, waiting[index]]));
    } catch {
      this.#waiting.clear();
    }
    this.#readAt = performance.now();
    this.#tookMs = this.#readAt - beganAt;
    this.#pending = undefined;
  }
}

/** The path of a Unix socket's URL; undefined for another. */
function unixPath(url: string): string | undefined {
  return url.startsWith("unix:") ? url.slice("unix:".length) : undefined;
}
