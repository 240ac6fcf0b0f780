/**
 * Durations for statsd out of a histogram's counts. The requests themselves are not kept, so each is given a duration in
 * its bucket such that the mean is the histogram's: means are exact, percentiles are right up to the width of a bucket.
 */

/** The counts of buckets, not cumulative: one for each bound, and one for what is above. `sum` in the unit of the bounds. */
export interface Distribution {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface Timings {
  /** Ascending. */
  readonly values: readonly number[];
  /** The share of requests that the values stand for: 1 if each has one. */
  readonly rate: number;
}

/** A value's bucket, and which share of the requests in it are faster. */
interface Place {
  readonly lower: number;
  readonly width: number;
  readonly share: number;
}

/**
 * Returns at most `max` values. If there were more requests, the values are spread evenly over them, so that percentiles
 * of the values alone are those of all requests.
 */
export function timingsOf(distribution: Distribution, max: number): Timings {
  const { counts, sum } = distribution;
  const total = counts.reduce((all, count) => all + count, 0);
  if (total === 0) return { values: [], rate: 1 };
  const wanted = Math.min(total, max);
  const places = placesOf(distribution, total, wanted);
  const above = Array.from({ length: wanted - places.length }, () => valueAbove(distribution));
  const rest = (sum * wanted) / total - above.reduce((all, value) => all + value, 0);
  const lean = leanFor(places, rest);
  const values = [...places.map((place) => placed(place, lean)), ...above];
  return { values, rate: wanted / total };
}

/** The places of evenly spread requests, except those above the last bound. */
function placesOf({ bounds, counts }: Distribution, total: number, wanted: number): Place[] {
  const places: Place[] = [];
  let index = 0;
  let before = 0;
  for (let number = 0; number < wanted; number++) {
    const rank = ((number + 0.5) * total) / wanted;
    while (rank > before + (counts[index] as number)) before += counts[index++] as number;
    const upper = bounds[index];
    if (upper === undefined) break;
    const lower = index === 0 ? 0 : (bounds[index - 1] as number);
    places.push({ lower, width: upper - lower, share: (rank - before) / (counts[index] as number) });
  }
  return places;
}

/** The mean of values above the last bound, known only from the sum: the others are taken to lie evenly in their buckets. */
function valueAbove({ bounds, counts, sum }: Distribution): number {
  const others = bounds.reduce((all, bound, index) => {
    const lower = index === 0 ? 0 : (bounds[index - 1] as number);
    return all + ((counts[index] as number) * (lower + bound)) / 2;
  }, 0);
  return Math.max(bounds.at(-1) as number, (sum - others) / (counts[bounds.length] as number));
}

/** 1 spreads values evenly over their bucket; more puts them nearer to its lower bound. */
function placed({ lower, width, share }: Place, lean: number): number {
  return lower + width * share ** lean;
}

const MIN_LEAN = 1 / 64;
const MAX_LEAN = 64;
const HALVINGS = 24;

/** Finds the lean with which the values add up to `sum`, or the nearest. The more lean, the smaller they are. */
function leanFor(places: readonly Place[], sum: number): number {
  let [low, high] = [Math.log(MIN_LEAN), Math.log(MAX_LEAN)];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    const lean = Math.exp(middle);
    const found = places.reduce((all, place) => all + placed(place, lean), 0);
    if (found > sum) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}
