/**
 * Decides from successive readings of the heartbeat whether the main loop is stuck. Pure: the caller passes the time.
 * Time in which the watcher itself did not run (SIGSTOP, a suspended machine) does not count against the loop.
 */

export interface StallCheck {
  /** `stuck` and `recovered` are returned once per stall. */
  readonly verdict: "turning" | "stuck" | "still stuck" | "recovered";
  /** Milliseconds since the loop last turned; for `recovered`, the length of the stall. */
  readonly blockedForMs: number;
}

export class StallClock {
  #stuckAfterMs: number;
  readonly #longestGapMs: number;
  #beats: number;
  #lastBeatAt: number;
  #lastCheckAt: number;
  #stuck = false;

  /**
   * @param stuckAfterMs time without a beat that is a stall; 0: never
   * @param longestGapMs a longer gap between two calls of `check` means that the watcher was stopped too
   */
  constructor(stuckAfterMs: number, longestGapMs: number, beats: number, now: number) {
    this.#stuckAfterMs = stuckAfterMs;
    this.#longestGapMs = longestGapMs;
    this.#beats = beats;
    this.#lastBeatAt = now;
    this.#lastCheckAt = now;
  }

  /** Changes the time without a beat that is a stall; 0: never. */
  setLimit(stuckAfterMs: number): void {
    this.#stuckAfterMs = stuckAfterMs;
  }

  /** Time in which the loop stood still for us does not count. */
  pardon(now: number): void {
    this.#lastBeatAt = now;
    this.#lastCheckAt = now;
  }

  /** How long the loop has not turned, in milliseconds, as far as the checks have seen it. */
  standstill(beats: number, now: number): number {
    return beats === this.#beats ? now - this.#lastBeatAt : 0;
  }

  check(beats: number, now: number): StallCheck {
    const gap = now - this.#lastCheckAt;
    this.#lastCheckAt = now;
    if (gap > this.#longestGapMs) this.#lastBeatAt += gap;
    const blockedForMs = now - this.#lastBeatAt;
    if (beats !== this.#beats) {
      this.#beats = beats;
      this.#lastBeatAt = now;
      const verdict = this.#stuck ? "recovered" : "turning";
      this.#stuck = false;
      return { verdict, blockedForMs };
    }
    if (this.#stuckAfterMs === 0 || blockedForMs < this.#stuckAfterMs)
      return { verdict: "turning", blockedForMs };
    const verdict = this.#stuck ? "still stuck" : "stuck";
    this.#stuck = true;
    return { verdict, blockedForMs };
  }
}
