/**
 * Series added up by key. Their number is bounded, however many keys hostile pages hold: what does not fit is counted
 * under a key that gives up its route, then under one that gives up nearly all labels. So no sum is ever lost.
 */
import { MAX_TOTALS_SERIES, MAX_VALUES } from "./layout.ts";
import { OTHER, overflowKey, type SeriesKey } from "./series-key.ts";

export interface Series {
  readonly key: SeriesKey;
  /** As in a page: `MAX_VALUES` numbers. */
  readonly values: Float64Array;
}

export const MAX_ROUTES = 200;
/** Room for the keys that give up their labels. */
const OVERFLOW_ROOM = 128;

export class SeriesTable {
  readonly #series = new Map<string, Series>();
  readonly #routes = new Set<string>();

  get size(): number {
    return this.#series.size;
  }

  [Symbol.iterator](): IterableIterator<Series> {
    return this.#series.values();
  }

  /** Adds values to a series, and returns it. */
  add(key: SeriesKey, values: ArrayLike<number>): Series {
    const series = this.#of(key);
    const count = Math.min(values.length, MAX_VALUES);
    for (let index = 0; index < count; index++)
      series.values[index] = (series.values[index] as number) + (values[index] as number);
    return series;
  }

  addAll(series: Iterable<Series>): void {
    for (const { key, values } of series) this.add(key, values);
  }

  #of(key: SeriesKey): Series {
    const known = this.#series.get(key.text);
    if (known !== undefined) return known;
    const kept = this.#fitting(key);
    let series = this.#series.get(kept.text);
    if (series === undefined) {
      series = { key: kept, values: new Float64Array(MAX_VALUES) };
      this.#series.set(kept.text, series);
      const route = routeOf(kept);
      if (route !== "" && route !== OTHER) this.#routes.add(route);
    }
    return series;
  }

  #fitting(key: SeriesKey): SeriesKey {
    const route = routeOf(key);
    const isRouteTooMany = route !== "" && !this.#routes.has(route) && this.#routes.size >= MAX_ROUTES;
    const narrow = isRouteTooMany ? overflowKey(key, "route") : key;
    const isFull = this.#series.size >= MAX_TOTALS_SERIES - OVERFLOW_ROOM;
    return isFull && !this.#series.has(narrow.text) ? overflowKey(narrow, "all") : narrow;
  }
}

function routeOf({ metric, labels }: SeriesKey): string {
  const index = metric.labels.indexOf("http_route");
  return index === -1 ? "" : (labels[index] as string);
}
