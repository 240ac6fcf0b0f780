/** Limits how often a line that clients can cause is logged, so that they cannot fill the log. */
export class RateLimit {
  /** Number of lines suppressed between the last two that were allowed. */
  heldBack = 0;
  readonly #interval: number;
  readonly #now: () => number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #held = 0;

  /**
   * @param interval minimum milliseconds between two lines
   * @param now milliseconds of a monotonic clock
   */
  constructor(interval: number, now: () => number = () => performance.now()) {
    this.#interval = interval;
    this.#now = now;
  }

  /** Whether a line may be logged now. If so, it counts as logged. */
  allows(): boolean {
    const now = this.#now();
    if (now - this.#lastAt < this.#interval) {
      this.#held += 1;
      return false;
    }
    this.#lastAt = now;
    this.heldBack = this.#held;
    this.#held = 0;
    return true;
  }
}
