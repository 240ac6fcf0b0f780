/** Medians, spread, and ratios pair by pair of rounds. */

export interface Summary {
  readonly median: number;
  /** Half of the values are between these two. */
  readonly low: number;
  readonly high: number;
}

/** The value below which a share of the sorted values lies, interpolated. */
function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}

/** The value below which a share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    share,
  );
}

export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** The ratios of the values of the same rounds, which are close in time: a slow moment of the machine hits both. */
export function pairedRatios(values: readonly number[], base: readonly number[]): number[] {
  return values.slice(0, base.length).map((value, round) => value / (base[round] as number));
}

export function pairedDifferences(values: readonly number[], base: readonly number[]): number[] {
  return values.slice(0, base.length).map((value, round) => value - (base[round] as number));
}
