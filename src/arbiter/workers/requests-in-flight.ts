/**
 * The requests in flight in one worker, as the worker and its watchdog have reported them. A worker that ends without its
 * JavaScript reports nothing; its page of the scoreboard has them then, without their ids.
 */
import type { RequestInFlight, RequestReport } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";

export class RequestsInFlight {
  #reported: readonly RequestInFlight[] | undefined;

  /** Undefined if nothing has been reported. */
  get list(): readonly RequestInFlight[] | undefined {
    return this.#reported;
  }

  handleStall({ kind, inFlight }: StallReport): void {
    if (kind === "recovered") this.#reported = undefined;
    else if (inFlight !== undefined) {
      const now = Date.now();
      this.#reported = inFlight.map(({ method, target, id, age }) => ({
        method,
        target,
        id,
        since: now - age,
      }));
    }
  }

  handleReport({ requests }: RequestReport): void {
    this.#reported = requests;
  }
}
