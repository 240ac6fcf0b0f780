/**
 * How a worker is watched. Its watchdog thread tells of a main loop that is stuck, and why, well before the
 * arbiter, which hears no beat any more, kills it: all times are parts of the one timeout that is configured.
 */
import type { Config } from "../config/settings.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { StalledRequest } from "../ipc/stall-report.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { startWatchdog, type Watchdog } from "./watchdog/watchdog.ts";

/** The longest time between two beats, in milliseconds. */
const SLOWEST_BEAT = 1000;

/** How long JavaScript may take to answer a pause, at most, before it is called native code, in milliseconds. */
const NATIVE_AFTER = 1000;

/** After what part of the timeout a stuck worker is told that it will be killed. */
const ABORT_PART = 0.8;

/** What the watchdog asks of the worker in the midst of a stall. */
export interface WatchedWorker {
  inFlight(): readonly StalledRequest[];
  /** The worker is about to be killed. */
  abort(): void;
}

/** How often the arbiter hears of a worker, in milliseconds, for a timeout; 0 is none. */
export function beatInterval(timeout: number): number {
  return timeout === 0 ? SLOWEST_BEAT : Math.min(SLOWEST_BEAT, timeout / 8);
}

/**
 * Starts the watchdog of this process; to be called before the app is loaded, whose own code may be what blocks.
 * A worker that cannot have one is served by the arbiter's clock alone.
 */
export function watchLoop(assignment: Assignment<Config>, worker: WatchedWorker, log: ErrorLog): Watchdog {
  const { timeout, bootTimeout } = assignment.settings;
  const aborts = assignment.hooks.includes("workerAbort");
  return startWatchdog({
    // The last beat may be an eighth older than the stall, and a look at it an eighth late: a half and a fifth
    // leave room for the report before the arbiter's clock has run out.
    stuckAfterMs: timeout / 2,
    // The same within the boot timeout, which may be over sooner: the arbiter then knows what blocked.
    bootStuckAfterMs: Math.min(timeout, bootTimeout) / 2,
    nativeAfterMs: Math.min(NATIVE_AFTER, timeout / 5, bootTimeout / 5),
    parentPid: assignment.arbiter,
    sink: { fd: assignment.reports, format: "json" },
    inFlight: worker.inFlight,
    // Whoever is to be asked before the end is asked before the arbiter's clock can have run out.
    ...(aborts && { abort: { afterMs: timeout * ABORT_PART, run: worker.abort } }),
    onFailure: (error) => log.warning("The event loop is not watched from within", error),
  });
}

/** So many characters of a report may be records for the access log: the arbiter takes no longer one than it can hold. */
const RECORDS_MAX = 500_000;

/** Leaves out the records that would make a report too long; the requests themselves stay in it. */
export function boundedRecords(requests: readonly StalledRequest[]): StalledRequest[] {
  let length = 0;
  return requests.map(({ record, ...request }) => {
    if (record === undefined) return request;
    length += JSON.stringify(record).length;
    return length > RECORDS_MAX ? request : { ...request, record };
  });
}
