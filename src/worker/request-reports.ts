/** Reports requests to the arbiter: those in flight at an unexpected exit, and each request while journaling is on. */
import { writeSync } from "node:fs";
import { MAX_TARGET_LENGTH, type RequestReport } from "../ipc/request-report.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { WorkerServer } from "../server/server.ts";
import type { RequestJournal } from "./request-journal.ts";

/** Limit of reported requests; the arbiter logs fewer. */
const MAX_REPORTED_REQUESTS = 50;

export class RequestReports {
  readonly #fd: number;
  readonly #server: Pick<WorkerServer, "inFlight" | "watchRequests">;
  readonly #log: Pick<ErrorLog, "debug">;
  #journal: RequestJournal | undefined;
  /** Ends journaling; undefined while it is off. */
  #endTimer: NodeJS.Timeout | undefined;

  /** @param fd of the pipe to the arbiter */
  constructor(
    fd: number,
    server: Pick<WorkerServer, "inFlight" | "watchRequests">,
    log: Pick<ErrorLog, "debug">,
  ) {
    this.#fd = fd;
    this.#server = server;
    this.#log = log;
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

  /** Journals every request for this time. A later call extends it. */
  async journal(milliseconds: number): Promise<void> {
    const { RequestJournal } = await import("./request-journal.ts");
    this.#journal ??= new RequestJournal(this.#fd);
    const journal = this.#journal;
    const isOn = this.#endTimer !== undefined;
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => {
      this.#endTimer = undefined;
      this.#server.watchRequests(undefined);
      journal.end();
    }, milliseconds).unref();
    if (isOn) return;
    journal.begin();
    this.#server.watchRequests(journal.record);
    this.#log.debug("Requests are journaled, because a worker died without an exit code");
  }
}
