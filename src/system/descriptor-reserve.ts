/**
 * A reserve of file descriptors. An arbiter at its limit could neither start a worker nor serve the control socket, so it
 * could be repaired only by stopping it.
 */
import { closeSync, openSync } from "node:fs";
import { holdInReserve, shortageOf } from "../native/descriptors.ts";

/** Enough to start a process and to accept some control connections. */
const RESERVE_SIZE = 32;

/** The reserve is released when fewer other descriptors are free, for control connections; a process start releases it at once. */
const MIN_FREE = 16;

const REVIEW_INTERVAL_MS = 1000;

export class DescriptorReserve {
  readonly #log: (warning: string) => void;
  readonly #reserved: number[] = [];
  #isSpent = false;
  #reviewedAt = Number.NEGATIVE_INFINITY;

  /** @param log called with one line each time the reserve is released */
  constructor(log: (warning: string) => void) {
    this.#log = log;
    holdInReserve(() => this.#release());
  }

  /**
   * Releases the reserve when descriptors are scarce, and refills it when they are not. Call on every tick.
   * @param now milliseconds of a monotonic clock
   */
  review(now: number): void {
    if (now - this.#reviewedAt < REVIEW_INTERVAL_MS) return;
    this.#reviewedAt = now;
    if (hasFree(MIN_FREE + RESERVE_SIZE - this.#reserved.length)) {
      while (this.#reserved.length < RESERVE_SIZE) this.#reserved.push(openSync("/dev/null", "r"));
      this.#isSpent = false;
    } else if (!hasFree(MIN_FREE)) this.#release();
  }

  #release(): boolean {
    if (this.#reserved.length === 0) return false;
    for (const descriptor of this.#reserved.splice(0)) closeSync(descriptor);
    if (!this.#isSpent) {
      this.#isSpent = true;
      this.#log(
        "The arbiter is almost out of file descriptors and uses its reserve: raise the limit (ulimit -n, LimitNOFILE=) or start fewer workers",
      );
    }
    return true;
  }
}

function hasFree(count: number): boolean {
  return shortageOf(count) === undefined;
}
