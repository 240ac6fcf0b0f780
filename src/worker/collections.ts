/** The time in garbage collections. To be told of each costs a busy worker less than can be measured. */
import { constants, PerformanceObserver } from "node:perf_hooks";
import { VITALS, type Vital } from "../scoreboard/layout.ts";

/** An entry of type `gc`. */
interface Collection {
  readonly duration: number;
  readonly detail?: { readonly kind?: number };
}

export class Collections {
  readonly #observer = new PerformanceObserver((list) => this.#add(list.getEntries()));
  /** Times and numbers since the last call of `addTo`. */
  readonly #seen = new Map<Vital, number>();

  constructor() {
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  /** Adds what has come since the last call to the vitals. */
  addTo(vitals: Float64Array): void {
    this.#add(this.#observer.takeRecords());
    for (const [name, amount] of this.#seen) (vitals[VITALS.indexOf(name)] as number) += amount;
    this.#seen.clear();
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
