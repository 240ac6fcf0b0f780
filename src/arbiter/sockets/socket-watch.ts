/** Looks now and then whether clients can still reach the Unix sockets, and logs each loss and its end once. */

import type { Narrator } from "../logs/arbiter-log.ts";
import type { FileLoss } from "./bind.ts";
import type { HeldSockets } from "./listeners.ts";

/** How often it looks, in milliseconds. */
const LOOK_EVERY = 1000;

export class SocketWatch {
  readonly #sockets: Pick<HeldSockets, "isShared" | "lost">;
  readonly #narrator: Pick<Narrator, "socketLost" | "socketBack">;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** What was logged last, by the socket's name. */
  readonly #told = new Map<string, FileLoss>();

  constructor(
    sockets: Pick<HeldSockets, "isShared" | "lost">,
    narrator: Pick<Narrator, "socketLost" | "socketBack">,
  ) {
    this.#sockets = sockets;
    this.#narrator = narrator;
  }

  /** To be called often. `now` is milliseconds of a monotonic clock. */
  look(now: number): void {
    if (now - this.#lookedAt < LOOK_EVERY || this.#sockets.isShared) return;
    this.#lookedAt = now;
    const lost = new Map(this.#sockets.lost().map(({ url, loss }) => [url, loss]));
    for (const [url, loss] of lost) {
      if (this.#told.get(url) !== loss) this.#narrator.socketLost(url, loss);
      this.#told.set(url, loss);
    }
    for (const url of this.#told.keys()) {
      if (lost.has(url)) continue;
      this.#told.delete(url);
      this.#narrator.socketBack(url);
    }
  }
}
