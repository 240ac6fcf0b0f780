/**
 * Decides from successive looks at the heartbeat whether the main loop is stuck. It knows no time but
 * the one it is given, and no thread: time in which the watcher itself did not run (SIGSTOP, a suspended
 * machine) is not held against the loop.
 */

export interface Look {
  /** `stuck` and `recovered` come once for each stall. */
  readonly verdict: "turning" | "stuck" | "still stuck" | "recovered";
  /** Milliseconds since the loop was last seen to turn; at `recovered`, how long the stall was. */
  readonly blockedForMs: number;
}

export class StallClock {
  #stuckAfterMs: number;
  readonly #longestGapMs: number;
  #beats: number;
  #lastBeatAt: number;
  #lastLookAt: number;
  #stuck = false;

  /**
   * @param stuckAfterMs how long without a beat is a stall; 0: never
   * @param longestGapMs a longer time than this between two looks means that the watcher was stopped too
   */
  constructor(stuckAfterMs: number, longestGapMs: number, beats: number, now: number) {
    this.#stuckAfterMs = stuckAfterMs;
    this.#longestGapMs = longestGapMs;
    this.#beats = beats;
    this.#lastBeatAt = now;
    this.#lastLookAt = now;
  }

  /** From now on this long without a beat is a stall; 0: never. */
  allow(stuckAfterMs: number): void {
    this.#stuckAfterMs = stuckAfterMs;
  }

  look(beats: number, now: number): Look {
    const gap = now - this.#lastLookAt;
    this.#lastLookAt = now;
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
