/** Sums of series for people: requests by class of status, rates and percentiles over a time. Pure. */
import type { Rates } from "../control/stats.ts";
import { ARBITER_METRICS } from "../scoreboard/arbiter-metrics.ts";
import { DURATION_BUCKETS, QUEUE_BUCKETS, type RejectReason, WORKER_METRICS } from "../scoreboard/metrics.ts";
import type { Series } from "../scoreboard/series-table.ts";

export const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"] as const;
/** The class of a response's status; `none` for a request that got no response. */
export type StatusClass = (typeof CLASSES)[number];

type Tally = Record<string, number>;

/** Positions among the labels of a request's series. */
const STATUS = WORKER_METRICS.requestDuration.labels.indexOf("http_response_status_code");
const ERROR_TYPE = WORKER_METRICS.requestDuration.labels.indexOf("error_type");

export interface Counts {
  requests: number;
  readonly byClass: Record<StatusClass, number>;
  /** Requests that ended with 5xx or an error. */
  errors: number;
  /** As in a series: buckets, the rest above them, the sum. */
  readonly durations: number[];
  readonly queue: number[];
  readonly rejected: Tally;
  readonly exits: Tally;
  starts: number;
  logLinesDropped: number;
}

export function noCounts(): Counts {
  return {
    requests: 0,
    byClass: { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, none: 0 },
    errors: 0,
    durations: new Array(DURATION_BUCKETS.length + 2).fill(0),
    queue: new Array(QUEUE_BUCKETS.length + 2).fill(0),
    rejected: {},
    exits: {},
    starts: 0,
    logLinesDropped: 0,
  };
}

/** Adds series to counts. */
export function addSeries(counts: Counts, series: Iterable<Series>): void {
  for (const { key, values } of series) {
    const [first = ""] = key.labels;
    const count = values[0] as number;
    switch (key.metric.id) {
      case WORKER_METRICS.requestDuration.id:
        addRequests(counts, values, key.labels[STATUS] ?? "", key.labels[ERROR_TYPE] ?? "");
        break;
      case WORKER_METRICS.queueTime.id:
        addValues(counts.queue, values);
        break;
      case WORKER_METRICS.rejected.id:
        addTo(counts.rejected, first, count);
        break;
      case ARBITER_METRICS.exits.id:
        addTo(counts.exits, first, count);
        break;
      case ARBITER_METRICS.starts.id:
        counts.starts += count;
        break;
      case WORKER_METRICS.logLinesDropped.id:
        counts.logLinesDropped += count;
        break;
    }
  }
}

function addTo(tally: Tally, name: string, count: number): void {
  tally[name] = (tally[name] ?? 0) + count;
}

function addRequests(counts: Counts, values: Float64Array, status: string, errorType: string): void {
  let requests = 0;
  for (let bucket = 0; bucket <= DURATION_BUCKETS.length; bucket++) requests += values[bucket] as number;
  counts.requests += requests;
  const first = status.charAt(0);
  const name = `${first}xx` as StatusClass;
  counts.byClass[CLASSES.includes(name) ? name : "none"] += requests;
  if (first === "5" || errorType !== "") counts.errors += requests;
  addValues(counts.durations, values);
}

function addValues(sum: number[], values: ArrayLike<number>): void {
  for (let index = 0; index < sum.length; index++)
    sum[index] = (sum[index] as number) + (values[index] as number);
}

/** The values of a histogram that came between two readings. */
export function valuesBetween(after: readonly number[], before: readonly number[]): number[] {
  return after.map((value, index) => Math.max(0, value - (before[index] as number)));
}

/** The tally of what came between two readings. */
export function tallyBetween(after: Readonly<Tally>, before: Readonly<Tally>): Tally {
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, Math.max(0, count - (before[name] ?? 0))]),
  );
}

/**
 * A percentile of a histogram in milliseconds, interpolated within its bucket; null without observations.
 *
 * @param values buckets that are not cumulative, then the rest above them
 * @param bounds of the buckets, in seconds
 */
export function percentile(
  values: readonly number[],
  bounds: readonly number[],
  fraction: number,
): number | null {
  let total = 0;
  for (let bucket = 0; bucket <= bounds.length; bucket++) total += values[bucket] as number;
  if (total <= 0) return null;
  const rank = total * fraction;
  let below = 0;
  for (let bucket = 0; bucket < bounds.length; bucket++) {
    const count = values[bucket] as number;
    if (count > 0 && below + count >= rank) {
      const low = bucket === 0 ? 0 : (bounds[bucket - 1] as number);
      const high = bounds[bucket] as number;
      return hundredths((low + ((high - low) * (rank - below)) / count) * 1000);
    }
    below += count;
  }
  return hundredths((bounds.at(-1) as number) * 1000);
}

/** Rounds to two decimals, which reports have. */
export function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The reasons of refused requests that mean too much load. */
const SHED = ["overload", "queue_timeout"] as const satisfies readonly RejectReason[];

function shed({ rejected }: Counts): number {
  return SHED.reduce((sum, reason) => sum + (rejected[reason] ?? 0), 0);
}

/** Rates between two readings. @param seconds the time between them */
export function ratesBetween(after: Counts, before: Counts, seconds: number): Rates {
  const requests = Math.max(0, after.requests - before.requests);
  const errors = Math.max(0, after.errors - before.errors);
  const durations = valuesBetween(after.durations, before.durations);
  const perSecond = (count: number): number => (seconds > 0 ? hundredths(count / seconds) : 0);
  const byClass = tallyBetween(after.byClass, before.byClass);
  for (const name of Object.keys(byClass)) byClass[name] = perSecond(byClass[name] as number);
  return {
    seconds: hundredths(seconds),
    requestsPerSecond: perSecond(requests),
    byClass,
    errorRatio: requests === 0 ? 0 : errors / requests,
    shedPerSecond: perSecond(Math.max(0, shed(after) - shed(before))),
    p50: percentile(durations, DURATION_BUCKETS, 0.5),
    p90: percentile(durations, DURATION_BUCKETS, 0.9),
    p99: percentile(durations, DURATION_BUCKETS, 0.99),
  };
}
