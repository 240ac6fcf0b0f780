/** Reports the requests in flight at an unexpected exit to the arbiter, with their ids, which the scoreboard lacks. */
import { writeSync } from "node:fs";
import { MAX_TARGET_LENGTH, type RequestReport } from "../ipc/request-report.ts";
import type { WorkerServer } from "../server/server.ts";

/** Limit of reported requests; the arbiter logs fewer. */
const MAX_REPORTED_REQUESTS = 50;

export class RequestReports {
  readonly #fd: number;
  readonly #server: Pick<WorkerServer, "inFlight">;

  /** @param fd of the pipe to the arbiter */
  constructor(fd: number, server: Pick<WorkerServer, "inFlight">) {
    this.#fd = fd;
    this.#server = server;
  }

  /** Reports the requests in flight. Synchronous: the process is about to exit. */
  reportInFlight(): void {
    const now = Date.now();
    const inFlight = this.#server.inFlight().slice(0, MAX_REPORTED_REQUESTS);
    const requests = inFlight.map(({ method, target, id, age }) => ({
      method,
      target: target.slice(0, MAX_TARGET_LENGTH),
      id,
      since: Math.round(now - age),
    }));
    const report: RequestReport = { kind: "held", requests };
    try {
      writeSync(this.#fd, `${JSON.stringify(report)}\n`);
    } catch {
      // The arbiter is gone or does not read. Exit without waiting for it.
    }
  }
}
