/**
 * Sets up the watch over a worker's event loop. The watchdog thread reports a stuck loop and its cause well before the
 * arbiter, which no longer receives heartbeats, kills the worker. All times are fractions of the configured timeout.
 */
import type { Config } from "../config/settings.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { StalledRequest } from "../ipc/stall-report.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { startWatchdog, type Watchdog } from "./watchdog/watchdog.ts";

/** If the debugger cannot pause the main thread within this time, the main thread is in native code. Upper bound. */
const MAX_NATIVE_AFTER_MS = 1000;

/** Fraction of the timeout after which a stuck worker runs its workerAbort hook. */
const ABORT_FRACTION = 0.8;

/** The watchdog's calls into the worker during a stall. */
export interface WatchedWorker {
  inFlight(): readonly StalledRequest[];
  /** The worker is about to be killed. */
  abort(): void;
}

/**
 * Starts the watchdog of this process. Call it before the app is loaded, since loading may block. If it cannot
 * start, only the arbiter's timeout applies.
 */
export function watchLoop(assignment: Assignment<Config>, worker: WatchedWorker, log: ErrorLog): Watchdog {
  const { timeout, bootTimeout } = assignment.settings;
  const aborts = assignment.hooks.includes("workerAbort");
  return startWatchdog({
    // The last beat may be an eighth of the timeout older than the stall, and the check an eighth late. A half plus
    // a fifth (nativeAfterMs) leave time for the report before the arbiter's timeout.
    stuckAfterMs: timeout / 2,
    // The boot timeout may be shorter: report before it, so that the arbiter knows what blocked.
    bootStuckAfterMs: Math.min(timeout, bootTimeout) / 2,
    nativeAfterMs: Math.min(MAX_NATIVE_AFTER_MS, timeout / 5, bootTimeout / 5),
    parentPid: assignment.arbiter,
    sink: { fd: assignment.reports, format: "json" },
    commands: assignment.reports,
    inFlight: worker.inFlight,
    // The hook must run before the arbiter's timeout.
    ...(aborts && { abort: { afterMs: timeout * ABORT_FRACTION, run: worker.abort } }),
    onFailure: (error) =>
      log.warning("The watchdog thread failed: stacks of a blocked event loop are not logged", error),
  });
}

/** Limit of access log records in a report, in characters: the arbiter limits the length of a report. */
const MAX_RECORD_CHARACTERS = 500_000;

/** Drops the records that would make a report too long; the requests themselves remain. */
export function boundedRecords(requests: readonly StalledRequest[]): StalledRequest[] {
  let length = 0;
  return requests.map(({ record, ...request }) => {
    if (record === undefined) return request;
    length += JSON.stringify(record).length;
    return length > MAX_RECORD_CHARACTERS ? request : { ...request, record };
  });
}
