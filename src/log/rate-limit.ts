/** Minimum interval between two lines. */
const INTERVAL_MS = 60_000;

/** Limits a line that clients can cause to one a minute, so that they cannot fill the log. */
export class RateLimit {
  /** Number of lines suppressed between the last two that were allowed. */
  heldBack = 0;
  readonly #now: () => number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #held = 0;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a line may be logged now. If so, it counts as logged. */
  allows(): boolean {
    const now = this.#now();
    if (now - this.#lastAt < INTERVAL_MS) {
      this.#held += 1;
      return false;
    }
    this.#lastAt = now;
    this.heldBack = this.#held;
    this.#held = 0;
    return true;
  }
}
