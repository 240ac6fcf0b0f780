/**
 * Logs unexpected worker deaths. Each is logged, until workers die in a row soon after their start: then an occasional
 * line gives their number, so that the log is not flooded.
 */
import type { ErrorLog, LogFields } from "../../log/error-log.ts";
import { isCrashSeries, isSound } from "../pool/crashes.ts";
import type { Desired } from "../pool/desired.ts";
import type { WorkerRecord } from "../pool/roster.ts";

/** Do not log worker starts for this long after the last line of a series. */
const QUIET_MS = 10_000;

/** Pause between the first two lines of a series; it doubles with each line. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 15_000;

export interface LoggedDeath {
  /** The log line. */
  readonly what: string;
  /** Logged below the line: the app's stack, the requests in flight. */
  readonly detail: string | undefined;
  /** Log fields that identify the worker. */
  readonly fields: LogFields;
}

export class CrashLog {
  readonly #log: ErrorLog;
  /** Deaths in a row. */
  #deaths = 0;
  #roundAt = Number.NEGATIVE_INFINITY;
  #pause = FIRST_PAUSE_MS;
  /** Deaths of the series before this time are not logged. */
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(log: ErrorLog) {
    this.#log = log;
  }

  /**
   * @param worker its last record
   * @param desired the state after the death
   */
  logDeath(worker: WorkerRecord, { what, detail, fields }: LoggedDeath, desired: Desired, now: number): void {
    if (isSound(worker, now)) {
      this.#log.error(what, detail, fields);
      return;
    }
    const newSeries = desired.crashRounds === 1 && desired.crashRoundAt !== this.#roundAt;
    this.#deaths = newSeries ? 1 : this.#deaths + 1;
    this.#roundAt = desired.crashRoundAt;
    if (newSeries) this.#pause = FIRST_PAUSE_MS;
    if (!isCrashSeries(desired) || desired.stop !== undefined) this.#log.error(what, detail, fields);
    else if (now < this.#quietUntil) this.#log.debug(what, fields);
    else {
      this.#log.error(`${what}; workers have died ${this.#deaths} times in a row`, detail, fields);
      this.#quietUntil = now + this.#pause;
      this.#pause = Math.min(MAX_PAUSE_MS, this.#pause * 2);
    }
  }

  /** Whether workers die in a series, so that single workers are not worth a line. */
  isFlood(now: number): boolean {
    return now < this.#quietUntil + QUIET_MS;
  }
}
