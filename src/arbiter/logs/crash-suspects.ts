/**
 * Finds requests that may crash workers: those in flight, by method and path, at each of the last deaths.
 */
import type { HeldRequest } from "../../ipc/request-report.ts";

/** Number of consecutive deaths that must have a request in common. */
export const DEATHS = 3;

/** Deaths further apart than this, in milliseconds, are unrelated. */
const WITHIN = 600_000;

/** On a busy server the same requests are in flight at every death: more than this many in common prove nothing. */
const MOST_SUSPECTS = 3;

/** Minimum interval between reports of the same suspicion, in milliseconds. */
const TELL_EVERY = 60_000;

interface Death {
  readonly at: number;
  readonly paths: ReadonlySet<string>;
}

export class CrashSuspects {
  #deaths: Death[] = [];
  #told = "";
  #toldAt = Number.NEGATIVE_INFINITY;

  /**
   * Records an unexpected death. Returns the suspected requests, as `GET /path`, if they should be reported now.
   *
   * @param requests in flight in the worker
   * @param now milliseconds of a monotonic clock
   */
  died(requests: readonly HeldRequest[], now: number): readonly string[] {
    const paths = new Set(requests.map(nameOf));
    this.#deaths = [...this.#deaths, { at: now, paths }].filter(({ at }) => now - at < WITHIN).slice(-DEATHS);
    if (this.#deaths.length < DEATHS) return [];
    const common = [...paths].filter((path) => this.#deaths.every((death) => death.paths.has(path)));
    if (common.length === 0 || common.length > MOST_SUSPECTS) return [];
    const text = common.sort().join(" ");
    if (text === this.#told && now - this.#toldAt < TELL_EVERY) return [];
    this.#told = text;
    this.#toldAt = now;
    return common;
  }
}

/** Omits the query: it may hold secrets, and the path identifies the handler. */
function nameOf({ method, target }: HeldRequest): string {
  const end = target.search(/[?#]/);
  return `${method} ${end === -1 ? target : target.slice(0, end)}`;
}
