/**
 * Which requests may be what workers die of: those that were in flight, by method and path, in each of the last deaths.
 */
import type { HeldRequest } from "../../ipc/request-report.ts";

/** How many deaths in a row must have a request in common. */
export const DEATHS = 3;

/** Deaths further apart, in milliseconds, have little to do with each other. */
const WITHIN = 600_000;

/** Requests that are in flight all the time are in flight at every death: more than this many in common say nothing. */
const MOST_SUSPECTS = 3;

/** How often the same suspicion is told, in milliseconds. */
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
   * A worker has died unasked. Returns the requests to suspect, as `GET /path`, when there is news of them.
   *
   * @param requests in its hands
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

/** A query is left out: it may hold what is nobody's business, and the path is the handler's name. */
function nameOf({ method, target }: HeldRequest): string {
  const end = target.search(/[?#]/);
  return `${method} ${end === -1 ? target : target.slice(0, end)}`;
}
