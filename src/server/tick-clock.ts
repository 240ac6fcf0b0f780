/**
 * The clock for a server's deadlines. Reading it costs nothing, and a deadline never passes early: time in which the
 * event loop was blocked does not count, because nothing could be received or sent, and the current tick counts in
 * full.
 */

const MAX_TICK_MS = 1000;
const MIN_TICK_MS = 10;
/** Ticks within the shortest timeout. A deadline is handled at most two ticks late. */
const TICKS_PER_TIMEOUT = 8;

export class TickClock {
  /** The end of the current tick: the base of deadlines. All times are in milliseconds. */
  now: number;
  readonly tickMs: number;
  #passed = 0;
  #tickedAt = performance.now();
  readonly #timer: NodeJS.Timeout;

  /**
   * @param timeouts the timeouts to measure
   * @param onTick called on each tick with the time that has passed for certain. It runs after the input of that turn
   *   of the loop, so that input which arrived in time is not late because the loop was blocked
   */
  constructor(timeouts: readonly number[], onTick: (passed: number) => void) {
    this.tickMs = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, Math.min(...timeouts) / TICKS_PER_TIMEOUT));
    this.now = this.tickMs;
    this.#timer = setInterval(() => {
      this.#passed = this.exact;
      this.now = this.#passed + this.tickMs;
      this.#tickedAt = performance.now();
      setImmediate(onTick, this.#passed);
    }, this.tickMs).unref();
  }

  /** The time to the millisecond. Unlike `now` it costs a call of performance.now(). */
  get exact(): number {
    return this.#passed + Math.min(performance.now() - this.#tickedAt, this.tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
