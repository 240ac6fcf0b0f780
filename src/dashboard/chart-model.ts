/** A chart as data: lines over time, and what they say in words. */
import { count, duration, FORMATS, type Unit } from "./format.ts";

/** The names of colours in the style sheet: `--series-blue`. */
export type Colour = "blue" | "sky" | "green" | "yellow" | "orange" | "red" | "purple" | "grey";

export type Values = readonly (number | null)[];

export interface Line {
  readonly label: string;
  readonly values: Values;
  readonly colour: Colour;
  readonly unit: Unit;
  /** Beside the colour, so that lines can be told apart without it. */
  readonly dash?: readonly number[];
  /** `area`: filled down to the line below it, or to zero. */
  readonly shape?: "line" | "area" | "bars" | "points";
  /** It belongs to the axis at the right. */
  readonly isRight?: boolean;
  /** Shown in the legend: the values as they are, where `values` are sums for a stack. */
  readonly shown?: Values;
}

export interface HeatMap {
  /** Upper bounds of the rows in milliseconds, from below; the last row has none. */
  readonly bounds: readonly number[];
  /** For each time, how many in each row. */
  readonly counts: readonly (readonly number[])[];
}

export interface Chart {
  readonly label: string;
  /** Seconds since the epoch. */
  readonly time: readonly number[];
  readonly lines: readonly Line[];
  readonly heat?: HeatMap;
  /** The least that the axis reaches to. */
  readonly atLeast?: number;
}

export interface Panel {
  readonly id: string;
  readonly title: string;
  readonly charts: readonly Chart[];
  /** The charts in words, for those who do not see them. */
  readonly summary: string;
  /** Shown in place of charts that have nothing to show. */
  readonly emptyText?: string;
}

/** A moment that charts mark. */
export interface Mark {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly kind: "reload" | "upgrade" | "crash";
  readonly label: string;
}

/** Turns values into sums from the last line up, so that the first one is drawn on top and the others below it. */
export function stack(lines: readonly Line[]): Line[] {
  let below: number[] = [];
  const stacked = lines.toReversed().map((line): Line => {
    below = line.values.map((value, index) => (value ?? 0) + (below[index] ?? 0));
    return { ...line, values: below, shown: line.values, shape: line.shape ?? "area" };
  });
  return stacked.reverse();
}

/** Numbers of the bars that values at these times belong to; bars begin at round moments, so they stay where they are. */
export interface Bins {
  /** The middle of each bar, in seconds since the epoch. */
  readonly time: readonly number[];
  sums(values: readonly number[]): number[];
}

/**
 * Divides time into bars.
 * @param times milliseconds since the epoch, ascending
 * @param width milliseconds
 */
export function inBins(times: readonly number[], width: number): Bins {
  const first = Math.floor((times[0] ?? 0) / width);
  const numbers = times.map((at) => Math.floor(at / width) - first);
  const length = (numbers.at(-1) ?? -1) + 1;
  return {
    time: Array.from({ length }, (_, index) => ((first + index + 0.5) * width) / 1000),
    sums(values) {
      const sums = new Array<number>(length).fill(0);
      for (const [index, number] of numbers.entries())
        sums[number] = (sums[number] ?? 0) + (values[index] ?? 0);
      return sums;
    },
  };
}

export function lastOf(values: Values): number | null {
  return values.at(-1) ?? null;
}

export function largest(values: Values): number | null {
  let found: number | null = null;
  for (const value of values) if (value !== null && (found === null || value > found)) found = value;
  return found;
}

/** `2xx now 120, at most 431; 5xx none` */
export function describe(lines: readonly Line[]): string {
  if (lines.length === 0) return "None yet.";
  return lines
    .map(({ label, shown, values, unit }) => {
      const own = shown ?? values;
      const most = largest(own);
      if (most === null || most === 0) return `${label} none`;
      const format = FORMATS[unit];
      const now = lastOf(own);
      return `${label} now ${now === null ? "unknown" : format(now)}, at most ${format(most)}`;
    })
    .join("; ");
}

/** `In the last 10 minutes 98 % of 1,203 requests took at most 50 ms, and 2 took longer than 10 s` */
export function describeHeat({ bounds, counts }: HeatMap): string {
  const sums = new Array<number>(bounds.length + 1).fill(0);
  for (const row of counts)
    for (const [index, value] of row.entries()) sums[index] = (sums[index] ?? 0) + value;
  const all = sums.reduce((sum, value) => sum + value, 0);
  if (all === 0) return "No request has ended in the last 10 minutes.";
  let below = 0;
  const enough = sums.findIndex((value) => {
    below += value;
    return below >= all * 0.95;
  });
  const bound = bounds[enough];
  const slowest = sums.findLastIndex((value) => value > 0);
  const most =
    slowest < bounds.length
      ? `all at most ${duration(bounds[slowest] ?? null)}`
      : `${count(sums[slowest] ?? 0)} longer than ${duration(bounds.at(-1) ?? null)}`;
  const usual = bound === undefined ? "" : `95 % at most ${duration(bound)}, `;
  return `${count(all)} requests in the last 10 minutes: ${usual}${most}.`;
}
