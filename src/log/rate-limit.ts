/** Lets a line that clients can cause through at most once in a while, so that they cannot fill the log. */
export class RateLimit {
  readonly #interval: number;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** @param interval milliseconds between two lines, at least */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Whether a line may be logged now; one that may counts as logged. */
  allows(now = performance.now()): boolean {
    if (now - this.#lastAt < this.#interval) return false;
    this.#lastAt = now;
    return true;
  }
}
