/** What the arbiter knows of the requests in one worker's hands: nothing, until the worker tells. */
import type { HeldRequest, RequestReport } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";

export class HeldRequests {
  /** By their numbers; undefined as long as they are not journaled. */
  #journal: Map<number, HeldRequest> | undefined;
  /** All of them, as last told. */
  #told: readonly HeldRequest[] | undefined;

  /** Undefined when it is not known. */
  get list(): readonly HeldRequest[] | undefined {
    return this.#told ?? (this.#journal && [...this.#journal.values()]);
  }

  handleStall({ kind, inFlight }: StallReport): void {
    if (kind === "recovered") this.#told = undefined;
    else if (inFlight !== undefined) {
      const now = Date.now();
      this.#told = inFlight.map(({ method, target, id, age }) => ({ method, target, id, since: now - age }));
    }
  }

  handleReport(report: RequestReport): void {
    if (report.kind === "held") {
      this.#told = report.requests;
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
