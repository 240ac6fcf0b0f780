/**
 * Finds requests that may crash workers: those in flight, by method and path, at each of the last deaths.
 */
import type { RequestInFlight } from "../../ipc/request-report.ts";

/** Number of consecutive deaths that must have a request in common. */
export const SUSPECT_DEATHS = 3;

/** Deaths further apart than this are unrelated. */
const RELATED_WITHIN_MS = 600_000;

/** On a busy server the same requests are in flight at every death: more than this many in common prove nothing. */
const MAX_SUSPECTS = 3;

/** Minimum interval between two reports of the same suspects. */
const REPORT_INTERVAL_MS = 60_000;

interface Death {
  readonly at: number;
  readonly paths: ReadonlySet<string>;
}

export class CrashSuspects {
  #deaths: Death[] = [];
  #reported = "";
  #reportedAt = Number.NEGATIVE_INFINITY;

  /**
   * Records an unexpected death. Returns the suspected requests, as `GET /path`, if they should be reported now.
   *
   * @param requests in flight in the worker
   * @param now milliseconds of a monotonic clock
   */
  recordDeath(requests: readonly RequestInFlight[], now: number): readonly string[] {
    const paths = new Set(requests.map(nameOf));
    this.#deaths = [...this.#deaths, { at: now, paths }]
      .filter(({ at }) => now - at < RELATED_WITHIN_MS)
      .slice(-SUSPECT_DEATHS);
    if (this.#deaths.length < SUSPECT_DEATHS) return [];
    const common = [...paths].filter((path) => this.#deaths.every((death) => death.paths.has(path)));
    if (common.length === 0 || common.length > MAX_SUSPECTS) return [];
    const text = common.sort().join(" ");
    if (text === this.#reported && now - this.#reportedAt < REPORT_INTERVAL_MS) return [];
    this.#reported = text;
    this.#reportedAt = now;
    return common;
  }
}

/** Omits the query: it may hold secrets, and the path identifies the handler. */
function nameOf({ method, target }: RequestInFlight): string {
  const end = target.search(/[?#]/);
  return `${method} ${end === -1 ? target : target.slice(0, end)}`;
}
