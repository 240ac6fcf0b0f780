/**
 * The slowest requests of the last minutes, for `tsgun ctl trace`: a table for each minute. A request that is not among
 * them costs one comparison, with `floor`. Pure: the caller passes the time.
 */
import type { SlowRequest } from "../ipc/examination.ts";

/** Requests kept of each minute. */
export const KEPT_REQUESTS = 20;
/** Tables: five whole minutes, and the one that has begun. */
const KEPT_MINUTES = 6;
const MINUTE_MS = 60_000;

export class SlowRequests {
  /** A request that took longer, in milliseconds, is among the slowest of this minute: call `add`. */
  floor = -1;
  /** The newest first. */
  readonly #tables: SlowRequest[][] = [[]];
  /** When the newest table was begun; undefined before the first turn. */
  #since: number | undefined;

  /** Keeps a request, in place of the fastest if there are too many. */
  add(request: SlowRequest): void {
    const [table] = this.#tables as [SlowRequest[]];
    if (table.length === KEPT_REQUESTS) table.splice(fastestOf(table), 1);
    table.push(request);
    if (table.length === KEPT_REQUESTS) this.floor = table[fastestOf(table)]?.duration ?? -1;
  }

  /** Begins a new table when the minute is over. @param now in milliseconds of a monotonic clock */
  turn(now: number): void {
    this.#since ??= now;
    const minutes = Math.floor((now - this.#since) / MINUTE_MS);
    if (minutes === 0) return;
    this.#since += minutes * MINUTE_MS;
    for (let minute = 0; minute < Math.min(minutes, KEPT_MINUTES); minute++) this.#tables.unshift([]);
    this.#tables.splice(KEPT_MINUTES);
    this.floor = -1;
  }

  /** All that are kept. */
  list(): SlowRequest[] {
    return this.#tables.flat();
  }
}

function fastestOf(table: readonly SlowRequest[]): number {
  let fastest = 0;
  for (let index = 1; index < table.length; index++)
    if ((table[index] as SlowRequest).duration < (table[fastest] as SlowRequest).duration) fastest = index;
  return fastest;
}
