/**
 * The arbiter's clock, which stands still while the arbiter does. One that was stopped, frozen or starved has not
 * heard its workers: the time it missed is nobody's silence and no worker's delay. The clock knows when it was to
 * be looked at again at the latest, and what it is looked at later does not count.
 */

/** A timer may be late by this much on a busy machine, in milliseconds. */
const PUNCTUAL = 250;

/** The longest time it is not looked at while time matters, in milliseconds. */
const LONGEST_NAP = 1000;

export class WakingClock {
  readonly #ring: () => void;
  readonly #time: () => number;
  #missed = 0;
  #expected = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param ring called at the time that `wake` was told
   * @param time milliseconds of a monotonic clock
   */
  constructor(ring: () => void, time: () => number = () => performance.now()) {
    this.#ring = ring;
    this.#time = time;
  }

  /** Milliseconds. */
  now(): number {
    const time = this.#time();
    const late = time - this.#expected;
    if (late > PUNCTUAL) {
      this.#missed += late;
      this.#expected = time;
    }
    return time - this.#missed;
  }

  /**
   * Rings at `wakeAt`, if that is defined, and within `nap` or a second, whichever is less; where `nap` is undefined
   * no time matters before `wakeAt`. What an earlier call asked for is forgotten.
   */
  wake(wakeAt: number | undefined, nap: number | undefined): void {
    const now = this.now();
    this.stop();
    const longest = nap === undefined ? Number.POSITIVE_INFINITY : Math.min(nap, LONGEST_NAP);
    const wait = Math.max(0, Math.min(longest, (wakeAt ?? Number.POSITIVE_INFINITY) - now));
    this.#expected = this.#time() + wait;
    if (wait === Number.POSITIVE_INFINITY) return;
    // Messages that have come are read first: beats that waited for a busy arbiter are no silence.
    const ring = (): unknown => setImmediate(this.#ring);
    // A timer may fire a fraction of a millisecond early.
    this.#timer = setTimeout(ring, Math.ceil(wait) + 1);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#expected = Number.POSITIVE_INFINITY;
  }
}
