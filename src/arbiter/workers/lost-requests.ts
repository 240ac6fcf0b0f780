/**
 * Writes the access log lines of requests that were lost with a stuck worker, once it is dead. Its watchdog reports them
 * while it can still inspect the worker.
 */
import type { RecordedRequest, StallReport } from "../../ipc/stall-report.ts";
import { NO_RESPONSE_STATUS } from "../../log/access-entry.ts";
import { AccessLog, type AccessLogOptions, recordedEntry } from "../../log/access-log.ts";

export class LostRequests {
  readonly #byWorker = new Map<number, readonly RecordedRequest[]>();

  /** A worker that recovers responds to its requests, and writes their lines itself. */
  handleStall({ kind, pid, inFlight }: StallReport): void {
    if (kind === "recovered") this.#byWorker.delete(pid);
    else if (inFlight !== undefined)
      this.#byWorker.set(
        pid,
        inFlight.flatMap(({ record }) => record ?? []),
      );
  }

  /**
   * Writes the lines of a dead worker's requests.
   *
   * @param wasKilled by SIGKILL, so that it could not write them itself
   * @param accessLog called only if there are lines to write
   */
  handleExit(pid: number, wasKilled: boolean, accessLog: () => AccessLogOptions | undefined): void {
    const lost = this.#byWorker.get(pid) ?? [];
    this.#byWorker.delete(pid);
    const options = wasKilled && lost.length > 0 ? accessLog() : undefined;
    if (options === undefined) return;
    try {
      const log = new AccessLog(options);
      const now = Date.now();
      for (const request of lost) {
        const recorded = { ...request, status: request.status || NO_RESPONSE_STATUS };
        log.write(recordedEntry(recorded, now - request.time, "worker-killed"));
      }
      log.close();
    } catch (error) {
      options.onTrouble(`Cannot open the access log: ${(error as Error).message}`);
    }
  }
}
