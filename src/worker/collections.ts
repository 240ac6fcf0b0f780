/**
 * The time in garbage collections. Node reports each to JavaScript, which takes up to 4% of a busy worker's CPU time
 * (Node 20), so while there is work they are watched in one interval of eight, which stands for all of them.
 */
import { constants, PerformanceObserver } from "node:perf_hooks";
import { VITALS, type Vital } from "../scoreboard/layout.ts";

const BUSY_SHARE = 8;

/** An entry of type `gc`. */
interface Collection {
  readonly duration: number;
  readonly detail?: { readonly kind?: number };
}

export class Collections {
  readonly #observer = new PerformanceObserver((list) => this.#add(list.getEntries()));
  /** Times and numbers since the last sample. */
  readonly #seen = new Map<Vital, number>();
  /** How many intervals the present one stands for; 0 while nothing is watched. */
  #weight = 0;
  #busyIntervals = 0;

  constructor() {
    this.#watch(1);
  }

  /** Adds the interval that ends now to the vitals, and begins the next one. @param isBusy whether there is work */
  sample(isBusy: boolean, vitals: Float64Array): void {
    if (this.#weight > 0) this.#add(this.#observer.takeRecords());
    for (const [name, amount] of this.#seen)
      (vitals[VITALS.indexOf(name)] as number) += amount * this.#weight;
    this.#seen.clear();
    this.#busyIntervals = isBusy ? this.#busyIntervals + 1 : 0;
    if (!isBusy) this.#watch(1);
    else this.#watch(this.#busyIntervals % BUSY_SHARE === 1 ? BUSY_SHARE : 0);
  }

  #watch(weight: number): void {
    if (weight === 0) this.#observer.disconnect();
    else if (this.#weight === 0) this.#observer.observe({ entryTypes: ["gc"] });
    this.#weight = weight;
  }

  #add(entries: readonly object[]): void {
    for (const entry of entries) {
      const { duration, detail } = entry as Collection;
      const [time, count] = vitalsOf(detail?.kind);
      this.#count(time, duration);
      if (count !== undefined) this.#count(count, 1);
    }
  }

  #count(name: Vital, amount: number): void {
    this.#seen.set(name, (this.#seen.get(name) ?? 0) + amount);
  }
}

function vitalsOf(kind: number | undefined): readonly [time: Vital, count?: Vital] {
  switch (kind) {
    case constants.NODE_PERFORMANCE_GC_MINOR:
      return ["gcMinor", "gcMinorCount"];
    case constants.NODE_PERFORMANCE_GC_MAJOR:
      return ["gcMajor", "gcMajorCount"];
    case constants.NODE_PERFORMANCE_GC_INCREMENTAL:
      return ["gcIncremental"];
    default:
      return ["gcWeakCallback"];
  }
}
