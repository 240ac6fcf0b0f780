/** What a worker tells the arbiter of its requests: all of them when it ends unasked, each of them when it is asked to. */
import { writeSync } from "node:fs";
import { LONGEST_TARGET, type RequestReport } from "../ipc/request-report.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { WorkerServer } from "../server/server.ts";
import type { RequestJournal } from "./request-journal.ts";

/** So many requests are told of; the arbiter names fewer. */
const MOST_HELD = 50;

export class RequestReports {
  readonly #fd: number;
  readonly #server: Pick<WorkerServer, "inFlight" | "watchRequests">;
  readonly #log: Pick<ErrorLog, "debug">;
  #journal: RequestJournal | undefined;
  /** Ends what is being journaled; undefined while nothing is. */
  #ending: NodeJS.Timeout | undefined;

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

  /** The process ends: says what was in its hands. */
  last(): void {
    const now = Date.now();
    const held = this.#server.inFlight().slice(0, MOST_HELD);
    const requests = held.map(({ method, target, id, age }) => ({
      method,
      target: target.slice(0, LONGEST_TARGET),
      id,
      since: Math.round(now - age),
    }));
    const report: RequestReport = { kind: "held", requests };
    try {
      writeSync(this.#fd, `${JSON.stringify(report)}\n`);
    } catch {
      // The arbiter is gone or does not read: the exit does not wait for it.
    }
  }

  /** Tells of each request that comes in the time. A later call extends it. */
  async journal(milliseconds: number): Promise<void> {
    const { RequestJournal } = await import("./request-journal.ts");
    this.#journal ??= new RequestJournal(this.#fd);
    const journal = this.#journal;
    const isOn = this.#ending !== undefined;
    clearTimeout(this.#ending);
    this.#ending = setTimeout(() => {
      this.#ending = undefined;
      this.#server.watchRequests(undefined);
      journal.end();
    }, milliseconds).unref();
    if (isOn) return;
    journal.begin();
    this.#server.watchRequests(journal.begun);
    this.#log.debug("Requests are journaled: a worker has died without a word");
  }
}
