/**
 * Whether the worker's heap will soon be full: then it is replaced in order, while it can still serve what it has accepted.
 * V8 ends a process whose heap is full in the middle of its requests. Much garbage is no sign, since V8 collects late: what
 * counts is what is still there a second later, after a collection of the old generation.
 */

/**
 * Leaves time for a replacement to boot. From 80% on V8 gives up where collections free little and take most of the time
 * ("ineffective mark-compacts").
 */
const FULL_SHARE = 0.75;

const MB = 1024 ** 2;

/** The limit of the old generation in bytes that these flags of Node set; undefined for Node's own. The last flag counts. */
export function oldSpaceLimit(flags: readonly string[]): number | undefined {
  const given = flags.flatMap((flag) => /^--max[-_]old[-_]space[-_]size=(\d+)$/.exec(flag)?.[1] ?? []);
  const last = given.at(-1);
  return last === undefined ? undefined : Number(last) * MB;
}

export class HeapPressure {
  readonly #limit: number;
  /** How many collections there had been when the heap was first seen as full; undefined if it was not. */
  #since: number | undefined;

  /** @param limit of the old generation, in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Call once a second. Returns whether the worker should be replaced.
   *
   * @param used bytes of the old generation
   * @param collections how many of the old generation there have been
   */
  look(used: number, collections: number): boolean {
    if (used < this.#limit * FULL_SHARE) this.#since = undefined;
    else this.#since ??= collections;
    return this.#since !== undefined && collections > this.#since;
  }
}
