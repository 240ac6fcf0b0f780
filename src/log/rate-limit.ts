/** Minimum time between two lines. A worker that hits a limit usually hits it again soon. */
const LINE_INTERVAL_MS = 60_000;

/** Limits how often a line that clients can cause is logged, so that they cannot fill the log. */
export class RateLimit {
  /** Number of lines suppressed between the last two that were allowed. */
  suppressed = 0;
  readonly #now: () => number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many were suppressed, as the end of the line that is allowed now; empty if none were. */
  get sinceLast(): string {
    return this.suppressed === 0 ? "" : ` (${this.suppressed} more since the last such line)`;
  }

  /** Whether a line may be logged now. If so, it counts as logged. */
  allows(): boolean {
    const now = this.#now();
    if (now - this.#lastAt < LINE_INTERVAL_MS) {
      this.#count += 1;
      return false;
    }
    this.#lastAt = now;
    this.suppressed = this.#count;
    this.#count = 0;
    return true;
  }
}
