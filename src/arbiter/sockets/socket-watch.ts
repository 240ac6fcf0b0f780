/** Looks now and then whether clients can still reach the Unix sockets, and logs each loss and its end once. */

import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { FileLoss } from "./bind.ts";
import type { Listeners } from "./listeners.ts";

/** How often it looks, in milliseconds. */
const LOOK_EVERY = 1000;

export class SocketWatch {
  readonly #sockets: Pick<Listeners, "isShared" | "lost">;
  readonly #arbiterLog: Pick<ArbiterLog, "socketLost" | "socketBack">;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** What was logged last, by the socket's name. */
  readonly #told = new Map<string, FileLoss>();

  constructor(
    sockets: Pick<Listeners, "isShared" | "lost">,
    arbiterLog: Pick<ArbiterLog, "socketLost" | "socketBack">,
  ) {
    this.#sockets = sockets;
    this.#arbiterLog = arbiterLog;
  }

  /** To be called often. `now` is milliseconds of a monotonic clock. */
  check(now: number): void {
    if (now - this.#lookedAt < LOOK_EVERY || this.#sockets.isShared) return;
    this.#lookedAt = now;
    const lost = new Map(this.#sockets.lost().map(({ url, loss }) => [url, loss]));
    for (const [url, loss] of lost) {
      if (this.#told.get(url) !== loss) this.#arbiterLog.socketLost(url, loss);
      this.#told.set(url, loss);
    }
    for (const url of this.#told.keys()) {
      if (lost.has(url)) continue;
      this.#told.delete(url);
      this.#arbiterLog.socketBack(url);
    }
  }
}
