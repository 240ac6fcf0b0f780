/** Checks regularly whether clients can reach the Unix sockets, and logs each loss and its end once. */
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { FileLoss } from "./bind.ts";
import type { Listeners } from "./listeners.ts";

const CHECK_INTERVAL_MS = 1000;

export class SocketWatch {
  readonly #sockets: Pick<Listeners, "isShared" | "lost">;
  readonly #arbiterLog: Pick<ArbiterLog, "socketLost" | "socketBack">;
  #checkedAt = Number.NEGATIVE_INFINITY;
  /** The losses that were logged, by the socket's URL. */
  readonly #logged = new Map<string, FileLoss>();

  constructor(
    sockets: Pick<Listeners, "isShared" | "lost">,
    arbiterLog: Pick<ArbiterLog, "socketLost" | "socketBack">,
  ) {
    this.#sockets = sockets;
    this.#arbiterLog = arbiterLog;
  }

  /** Call on every tick. `now` is milliseconds of a monotonic clock. */
  check(now: number): void {
    if (now - this.#checkedAt < CHECK_INTERVAL_MS || this.#sockets.isShared) return;
    this.#checkedAt = now;
    const lost = new Map(this.#sockets.lost().map(({ url, loss }) => [url, loss]));
    for (const [url, loss] of lost) {
      if (this.#logged.get(url) !== loss) this.#arbiterLog.socketLost(url, loss);
      this.#logged.set(url, loss);
    }
    for (const url of this.#logged.keys()) {
      if (lost.has(url)) continue;
      this.#logged.delete(url);
      this.#arbiterLog.socketBack(url);
    }
  }
}
