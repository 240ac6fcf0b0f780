/**
 * The clock of a server's deadlines. It costs nothing to read, and a deadline is never early: time in which the event
 * loop was blocked does not count, since nobody could be heard or answered in it, and the tick under way counts whole.
 */

/** The slowest tick, in milliseconds. */
const SLOWEST_TICK = 1000;
const FASTEST_TICK = 10;
/** How many ticks the shortest timeout has: a deadline is late by two at most. */
const TICKS_PER_TIMEOUT = 8;

export class TickClock {
  /** The end of the tick under way: what a deadline is counted from. In milliseconds, like everything here. */
  now: number;
  readonly tick: number;
  #passed = 0;
  #tickedAt = performance.now();
  readonly #timer: NodeJS.Timeout;

  /**
   * @param timeouts what it is to measure
   * @param onTick called behind the input of the turn in which the tick fell, with the time that has passed for certain:
   *   what came in time must not be late because the loop was
   */
  constructor(timeouts: readonly number[], onTick: (passed: number) => void) {
    this.tick = Math.min(SLOWEST_TICK, Math.max(FASTEST_TICK, Math.min(...timeouts) / TICKS_PER_TIMEOUT));
    this.now = this.tick;
    this.#timer = setInterval(() => {
      this.#passed = this.exact;
      this.now = this.#passed + this.tick;
      this.#tickedAt = performance.now();
      setImmediate(onTick, this.#passed);
    }, this.tick).unref();
  }

  /** The time now, to the millisecond; it costs a question to the system. */
  get exact(): number {
    return this.#passed + Math.min(performance.now() - this.#tickedAt, this.tick);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
