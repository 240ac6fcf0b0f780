/** The requests in flight in one worker, as far as the worker and its watchdog have reported them. */
import type { RequestInFlight, RequestReport } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";

export class RequestsInFlight {
  /** Requests by number; undefined while the worker keeps no journal. */
  #journal: Map<number, RequestInFlight> | undefined;
  /** The latest complete list; it takes precedence over the journal. */
  #reported: readonly RequestInFlight[] | undefined;

  /** Undefined if unknown. */
  get list(): readonly RequestInFlight[] | undefined {
    return this.#reported ?? (this.#journal && [...this.#journal.values()]);
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

  handleReport(report: RequestReport): void {
    if (report.kind === "held") {
      this.#reported = report.requests;
      return;
    }
    if (report.kind === "end") {
      this.#journal = undefined;
      return;
    }
    this.#journal ??= new Map();
    if (report.kind === "begun") this.#journal.set(report.number, report.request);
    else for (const number of report.numbers) this.#journal.delete(number);
  }
}
