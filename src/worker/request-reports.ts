/** What a worker tells the arbiter of its requests: all of them when it ends unasked, each of them when it is asked to. */
import { writeSync } from "node:fs";
import { LONGEST_TARGET, type RequestReport } from "../ipc/request-report.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { WorkerServer } from "../server/server.ts";

/** So many requests are told of; the arbiter names fewer. */
const MOST_HELD = 50;

export class RequestReports {
  readonly #fd: number;
  readonly #server: WorkerServer;
  readonly #log: Pick<ErrorLog, "debug">;
  #journaling: NodeJS.Timeout | undefined;

  /** @param fd of the pipe to the arbiter */
  constructor(fd: number, server: WorkerServer, log: Pick<ErrorLog, "debug">) {
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
      // The arbiter is gone, or stands still: nobody is to wait for that.
    }
  }

  /** Tells of each request that comes in the time. A later call extends it. */
  async journal(milliseconds: number): Promise<void> {
    const goesOn = this.#journaling !== undefined;
    clearTimeout(this.#journaling);
    this.#journaling = setTimeout(() => {
      this.#journaling = undefined;
      this.#server.watchRequests(undefined);
    }, milliseconds).unref();
    if (goesOn) return;
    const { RequestJournal } = await import("./request-journal.ts");
    this.#server.watchRequests(new RequestJournal(this.#fd).begun);
    this.#log.debug("Requests are journaled: a worker has died without a word");
  }
}
