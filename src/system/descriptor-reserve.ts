/**
 * Descriptors that the arbiter keeps for when it has no others: at its limit it could neither start a worker nor answer
 * the control socket, and so could not be mended without being stopped.
 */
import { closeSync, openSync } from "node:fs";
import { holdInReserve, shortageOf } from "../native/descriptors.ts";

/** Enough to start a process, and some control connections. */
const RESERVE = 32;

/** The reserve is given up when fewer than this are left beside it, for control connections; to start a process, at once. */
const LEAST_FREE = 16;

/** In milliseconds. */
const REVIEW_EVERY = 1000;

export class DescriptorReserve {
  readonly #log: (warning: string) => void;
  readonly #held: number[] = [];
  #isSpent = false;
  #reviewedAt = Number.NEGATIVE_INFINITY;

  /** @param log gets one line each time the reserve has to be given up */
  constructor(log: (warning: string) => void) {
    this.#log = log;
    holdInReserve(() => this.#giveUp());
  }

  /**
   * Gives the reserve up when descriptors are scarce, and takes it back when they are not. Call it often.
   * @param now milliseconds of a monotonic clock
   */
  review(now: number): void {
    if (now - this.#reviewedAt < REVIEW_EVERY) return;
    this.#reviewedAt = now;
    if (hasFree(LEAST_FREE + RESERVE - this.#held.length)) {
      while (this.#held.length < RESERVE) this.#held.push(openSync("/dev/null", "r"));
      this.#isSpent = false;
    } else if (!hasFree(LEAST_FREE)) this.#giveUp();
  }

  #giveUp(): boolean {
    if (this.#held.length === 0) return false;
    for (const descriptor of this.#held.splice(0)) closeSync(descriptor);
    if (!this.#isSpent) {
      this.#isSpent = true;
      this.#log(
        "The arbiter has nearly as many file descriptors open as it may, and uses its reserve: raise the limit (ulimit -n, LimitNOFILE=) or start fewer workers",
      );
    }
    return true;
  }
}

function hasFree(count: number): boolean {
  return shortageOf(count) === undefined;
}
