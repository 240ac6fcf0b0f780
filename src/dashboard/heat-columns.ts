/** The cells of a heat map as data. */

export interface Column {
  /** Seconds since the epoch. */
  readonly begin: number;
  readonly counts: readonly number[];
}

/** Adds up the counts of each `seconds`, which begin at round moments. */
export function columns(
  time: readonly number[],
  counts: readonly (readonly number[])[],
  seconds: number,
): Column[] {
  const found = new Map<number, number[]>();
  for (const [index, at] of time.entries()) {
    const begin = Math.floor(at / seconds) * seconds;
    const sums = found.get(begin) ?? [];
    for (const [row, count] of (counts[index] ?? []).entries()) sums[row] = (sums[row] ?? 0) + count;
    found.set(begin, sums);
  }
  return [...found].map(([begin, sums]) => ({ begin, counts: sums }));
}

/** How strong a cell's colour is, from 0.12 to 1. By the logarithm, so that a single slow request among thousands can be seen. */
export function intensity(count: number, most: number): number {
  return 0.12 + 0.88 * (Math.log1p(count) / Math.log1p(most));
}
