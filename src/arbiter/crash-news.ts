/**
 * The news of workers that died unasked. Each death is told, until workers die in a row, hardly started: then there is
 * one line each time the next one has to wait, which says how many there were, and no flood.
 */
import type { ErrorLog, LogFields } from "../log/error-log.ts";
import { type Desired, isSound, waitAfter } from "./desired.ts";
import type { WorkerRecord } from "./roster.ts";

/** How long after a wait the workers that are started are no news, in milliseconds. */
const QUIET_FOR = 10_000;

export interface Death {
  /** The line about it. */
  readonly what: string;
  /** The app's own, if there is one. */
  readonly stack: string | undefined;
  /** Which worker it was. */
  readonly fields: LogFields;
}

export class CrashNews {
  readonly #log: ErrorLog;
  /** Deaths in a row. */
  #deaths = 0;
  #roundAt = Number.NEGATIVE_INFINITY;
  /** Deaths before this belong to a round that has been told. */
  #toldUntil = Number.NEGATIVE_INFINITY;

  constructor(log: ErrorLog) {
    this.#log = log;
  }

  /**
   * @param worker as it was
   * @param news of this death
   * @param desired what is wanted after it
   */
  died(worker: WorkerRecord, { what, stack, fields }: Death, desired: Desired, now: number): void {
    if (isSound(worker, now)) {
      this.#log.error(what, stack, fields);
      return;
    }
    const newSeries = desired.crashes === 1 && desired.crashedAt !== this.#roundAt;
    this.#deaths = newSeries ? 1 : this.#deaths + 1;
    this.#roundAt = desired.crashedAt;
    const wait = desired.notBefore - now;
    if (waitAfter(desired.crashes) === 0 || desired.stop !== undefined) this.#log.error(what, stack, fields);
    else if (wait <= 0 || now < this.#toldUntil) this.#log.debug(what, fields);
    else {
      const next = `the next is started in ${(wait / 1000).toFixed(1)}s`;
      this.#log.error(
        `${what}; workers have died ${this.#deaths} times in a row: ${next}`,
        undefined,
        fields,
      );
      this.#toldUntil = desired.notBefore;
    }
  }

  /** Workers come and go: what each of them does is no news. */
  isFlood(now: number): boolean {
    return now < this.#toldUntil + QUIET_FOR;
  }
}
