/**
 * The arbiter's clock. It stops while the arbiter is stopped, frozen or starved: in that time the arbiter could not
 * receive heartbeats, so it must not count as silence or delay of a worker. The clock knows when the next reading is
 * due at the latest; time beyond that does not count.
 */

/** A timer may be this late on a busy machine. */
const TIMER_SLACK_MS = 250;

/** Longest interval between readings while time matters. */
const MAX_NAP_MS = 1000;

export class WakingClock {
  readonly #ring: () => void;
  readonly #time: () => number;
  #missedMs = 0;
  #expectedAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param ring called at the time set by `wake`
   * @param time milliseconds of a monotonic clock
   */
  constructor(ring: () => void, time: () => number = () => performance.now()) {
    this.#ring = ring;
    this.#time = time;
  }

  /** Milliseconds. */
  now(): number {
    const time = this.#time();
    const late = time - this.#expectedAt;
    if (late > TIMER_SLACK_MS) {
      this.#missedMs += late;
      this.#expectedAt = time;
    }
    return time - this.#missedMs;
  }

  /**
   * Rings at `wakeAt`, if defined, and within the lesser of `nap` and a second; if `nap` is undefined, no time matters
   * before `wakeAt`. Replaces earlier calls.
   */
  wake(wakeAt: number | undefined, nap: number | undefined): void {
    const now = this.now();
    this.stop();
    const longest = nap === undefined ? Number.POSITIVE_INFINITY : Math.min(nap, MAX_NAP_MS);
    const wait = Math.max(0, Math.min(longest, (wakeAt ?? Number.POSITIVE_INFINITY) - now));
    this.#expectedAt = this.#time() + wait;
    if (wait === Number.POSITIVE_INFINITY) return;
    // Read pending messages first: beats that waited for a busy arbiter do not mean silence.
    const ring = (): unknown => setImmediate(this.#ring);
    // A timer may fire a fraction of a millisecond early.
    this.#timer = setTimeout(ring, Math.ceil(wait) + 1);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#expectedAt = Number.POSITIVE_INFINITY;
  }
}
