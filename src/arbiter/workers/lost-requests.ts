/**
 * The requests that die with a stuck worker. Its watchdog has told which they were, as long as JavaScript could be
 * asked; their lines in the access log are written here, in the place of the worker, once it is dead.
 */
import type { RecordedRequest, StallReport } from "../../ipc/stall-report.ts";
import { NO_ANSWER } from "../../log/access-entry.ts";
import { AccessLog, type AccessLogOptions, recordedEntry } from "../../log/access-log.ts";

export class LostRequests {
  readonly #byWorker = new Map<number, readonly RecordedRequest[]>();

  /** A loop that turns again answers its requests, and writes their lines, itself. */
  handleStall({ kind, pid, inFlight }: StallReport): void {
    if (kind === "recovered") this.#byWorker.delete(pid);
    else if (inFlight !== undefined)
      this.#byWorker.set(
        pid,
        inFlight.flatMap(({ record }) => record ?? []),
      );
  }

  /**
   * A worker's process has ended. `killed`: by SIGKILL, which left it no time for lines of its own; `log` is asked for
   * only when there are any to write.
   */
  ended(pid: number, killed: boolean, log: () => AccessLogOptions | undefined): void {
    const lost = this.#byWorker.get(pid) ?? [];
    this.#byWorker.delete(pid);
    const options = killed && lost.length > 0 ? log() : undefined;
    if (options === undefined) return;
    try {
      const file = new AccessLog(options);
      const now = Date.now();
      for (const request of lost) {
        const known = { ...request, status: request.status || NO_ANSWER };
        file.write(recordedEntry(known, now - request.time, "worker-killed"));
      }
      file.close();
    } catch (error) {
      options.onTrouble(`Cannot open the access log: ${(error as Error).message}`);
    }
  }
}
