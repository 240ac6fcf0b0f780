/**
 * The news of workers that died unasked. Each death is logged, until workers die in a row, hardly started: then a line
 * says every now and then how many there were, and the log is not flooded.
 */
import type { ErrorLog, LogFields } from "../../log/error-log.ts";
import { type Desired, isCrashSeries, isSound } from "../pool/desired.ts";
import type { WorkerRecord } from "../pool/roster.ts";

/** How long after the last line of a series the workers that are started are no news, in milliseconds. */
const QUIET_FOR = 10_000;

/** The time between the first two lines of a series, in milliseconds; it doubles with each line. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

export interface Death {
  /** The line about it. */
  readonly what: string;
  /** What belongs below it: the app's stack, the requests that were in flight. */
  readonly detail: string | undefined;
  /** Which worker it was. */
  readonly fields: LogFields;
}

export class CrashNews {
  readonly #log: ErrorLog;
  /** Deaths in a row. */
  #deaths = 0;
  #roundAt = Number.NEGATIVE_INFINITY;
  #pause = FIRST_PAUSE;
  /** Deaths of the series before this are not told. */
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(log: ErrorLog) {
    this.#log = log;
  }

  /**
   * @param worker as it was
   * @param news of this death
   * @param desired what is wanted after it
   */
  died(worker: WorkerRecord, { what, detail, fields }: Death, desired: Desired, now: number): void {
    if (isSound(worker, now)) {
      this.#log.error(what, detail, fields);
      return;
    }
    const newSeries = desired.crashes === 1 && desired.crashedAt !== this.#roundAt;
    this.#deaths = newSeries ? 1 : this.#deaths + 1;
    this.#roundAt = desired.crashedAt;
    if (newSeries) this.#pause = FIRST_PAUSE;
    if (!isCrashSeries(desired) || desired.stop !== undefined) this.#log.error(what, detail, fields);
    else if (now < this.#quietUntil) this.#log.debug(what, fields);
    else {
      this.#log.error(`${what}; workers have died ${this.#deaths} times in a row`, detail, fields);
      this.#quietUntil = now + this.#pause;
      this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
    }
  }

  /** Workers come and go: what each of them does is no news. */
  isFlood(now: number): boolean {
    return now < this.#quietUntil + QUIET_FOR;
  }
}
