/**
 * Makes room in a worker whose places for connections run out: closes those that the policy chooses, until enough are free.
 * It does nothing, and costs nothing, while there are enough.
 */
import { type Candidate, choose, SCARCITIES, type Scarcity, type Standing, type Wait } from "./policy.ts";

/** Connections that may be closed to make room. */
export interface Occupants<Connection> {
  readonly connections: Iterable<Connection>;
  /** Milliseconds of the clock that `standing` measures with. */
  now(): number;
  /** Undefined if it may not be closed. */
  standing(connection: Connection, now: number): Standing | undefined;
  /** Closes it, as for a timeout. What its client gets depends on what it was waited for. */
  giveWay(connection: Connection, wait: Wait): void;
}

/** The places, of which the limiter knows how many there are. */
export interface Places {
  /** How many should become free; 0 or less if there are enough. */
  readonly wanted: number;
  readonly scarcity: Scarcity;
  readonly connections: number;
}

/** How many connections have been closed, by what they were waited for. */
export type Relief = ReadonlyMap<Wait, number>;

interface Occupant {
  readonly source: Occupants<unknown>;
  readonly connection: unknown;
}

/** Between two searches: one for each new connection would cost more than the connections do. */
const MIN_INTERVAL_MS = 20;
/** A search takes about this long for a connection; it may take a hundredth of the time. */
const SEARCH_MS = 0.0002;
const MAX_SHARE = 0.01;
/** At most this long until the next search: the shortest lateness that counts, of a connection that has just come. */
const RETRY_MS = 500;

export class PlaceKeeper {
  readonly #places: Places;
  readonly #onRelief: ((relief: Relief) => void) | undefined;
  readonly #sources: Occupants<unknown>[] = [];
  #isRunning = false;
  /** The timer of the next search, if it waits. */
  #timer: NodeJS.Timeout | undefined;
  /** When the next search may be, as in `performance.now()`. */
  #notBefore = 0;
  /** When it is worth while, unless places get scarcer. */
  #retryAt = 0;
  /** At the last search. */
  #scarcity: Scarcity = "scarce";

  /** @param onRelief told how many connections have been closed, if any, after each search */
  constructor(places: Places, onRelief?: (relief: Relief) => void) {
    this.#places = places;
    this.#onRelief = onRelief;
  }

  add<Connection>(source: Occupants<Connection>): void {
    this.#sources.push(source as Occupants<unknown>);
  }

  /** Places are scarce. Call whenever that is noticed. */
  makeRoom(): void {
    if (this.#sources.length === 0) return;
    const { scarcity } = this.#places;
    const isScarcer = SCARCITIES.indexOf(scarcity) > SCARCITIES.indexOf(this.#scarcity);
    if (this.#isRunning) {
      if (this.#timer === undefined || !isScarcer) return;
      clearTimeout(this.#timer);
    }
    this.#isRunning = true;
    this.#scarcity = scarcity;
    const wait = (isScarcer ? this.#notBefore : this.#retryAt) - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#begin(), wait).unref();
    else this.#begin();
  }

  /**
   * Input that has arrived must be read first: a loop that was busy is late itself, and its clients are not. A whole turn
   * follows the moment at which lateness is measured, and polls every connection.
   */
  #begin(): void {
    this.#timer = undefined;
    setImmediate(() => {
      const times = this.#sources.map((source) => source.now());
      setImmediate(() => this.#search(times));
    });
  }

  #search(times: readonly number[]): void {
    const { wanted, scarcity, connections } = this.#places;
    this.#isRunning = false;
    this.#scarcity = scarcity;
    if (wanted <= 0) return;
    const { chosen, nextIn } = choose(this.#candidates(times), wanted, scarcity);
    const relief = new Map<Wait, number>();
    for (const { occupant, wait } of chosen) {
      occupant.source.giveWay(occupant.connection, wait);
      relief.set(wait, (relief.get(wait) ?? 0) + 1);
    }
    if (relief.size > 0) this.#onRelief?.(relief);
    const pause = Math.max(MIN_INTERVAL_MS, (connections * SEARCH_MS) / MAX_SHARE);
    const now = performance.now();
    this.#notBefore = now + pause;
    this.#retryAt = now + Math.max(pause, chosen.length > 0 ? 0 : Math.min(nextIn ?? RETRY_MS, RETRY_MS));
    if (this.#places.wanted > 0) this.makeRoom();
  }

  *#candidates(times: readonly number[]): Generator<Candidate<Occupant>> {
    for (const [index, source] of this.#sources.entries()) {
      const now = times[index] ?? Number.NEGATIVE_INFINITY;
      for (const connection of source.connections) {
        const standing = source.standing(connection, now);
        if (standing !== undefined) yield { ...standing, occupant: { source, connection } };
      }
    }
  }
}
