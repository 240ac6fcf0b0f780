/**
 * The lines for statsd: gunicorn's names, one line for each metric, joined to datagrams. A counter tells what has come
 * since the last time. https://github.com/statsd/statsd/blob/master/docs/metric_types.md
 */
import { DURATION_BUCKETS, WORKER_METRICS } from "../scoreboard/metrics.ts";
import type { Series } from "../scoreboard/series-table.ts";
import { type Distribution, timingsOf } from "./statsd-timings.ts";

/** The server's totals as far as statsd is told of them. */
export interface StatsdTotals {
  readonly requests: number;
  /** By status code; requests that got no response have none. */
  readonly statuses: ReadonlyMap<string, number>;
  /** In seconds. */
  readonly durations: Distribution;
  /** By level. */
  readonly logLines: ReadonlyMap<string, number>;
}

/** Values that are told as they are now. */
export interface StatsdGauges {
  /** Undefined if another arbiter tells it. */
  readonly workers: number | undefined;
  /** Undefined if it is not known, or not wanted. */
  readonly backlog: number | undefined;
}

export interface StatsdFormat {
  /** Without the dot that ends it; undefined for none. */
  readonly prefix: string | undefined;
  /** In DogStatsD's format. */
  readonly tags: readonly string[] | undefined;
}

/** A network frame of 1500 bytes with room for the heads of IPv6 and UDP. */
export const MAX_DATAGRAM_BYTES = 1432;
/** A second with more requests than this sends so many durations, each with the rate at which it was sampled. */
export const MAX_TIMINGS = 100;

/** Position of the status code among the labels of a request's series. */
const STATUS = WORKER_METRICS.requestDuration.labels.indexOf("http_response_status_code");
const LEVELS: readonly string[] = ["critical", "error", "warning"];

/** Adds up the series of the scoreboard. */
export function statsdTotals(series: Iterable<Series>): StatsdTotals {
  const buckets = DURATION_BUCKETS.length + 1;
  const counts = new Array<number>(buckets).fill(0);
  const statuses = new Map<string, number>();
  const logLines = new Map<string, number>();
  let requests = 0;
  let sum = 0;
  for (const { key, values } of series) {
    const { id } = key.metric;
    if (id === WORKER_METRICS.logLines.id) add(logLines, key.labels[0] as string, values[0] ?? 0);
    if (id !== WORKER_METRICS.requestDuration.id) continue;
    let count = 0;
    for (let index = 0; index < buckets; index++) {
      const value = values[index] ?? 0;
      counts[index] = (counts[index] as number) + value;
      count += value;
    }
    sum += values[buckets] ?? 0;
    requests += count;
    const status = key.labels[STATUS] ?? "";
    if (/^\d{3}$/.test(status)) add(statuses, status, count);
  }
  return { requests, statuses, durations: { bounds: DURATION_BUCKETS, counts, sum }, logLines };
}

function add(map: Map<string, number>, key: string, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count);
}

/** Lines about what has happened between `before` and `now`, and about what is. */
export function statsdLines(
  before: StatsdTotals,
  now: StatsdTotals,
  gauges: StatsdGauges,
  { prefix, tags }: StatsdFormat,
): string[] {
  const start = prefix === undefined ? "" : `${prefix.replace(/\.+$/, "")}.`;
  const end = tags === undefined || tags.length === 0 ? "" : `|#${tags.join(",")}`;
  const line = (name: string, value: string | number, type: string): string =>
    `${start}gunicorn.${name}:${value}|${type}${end}`;
  const counter = (name: string, count: number): string[] => (count > 0 ? [line(name, count, "c")] : []);
  return [
    ...counter("requests", now.requests - before.requests),
    ...[...now.statuses].flatMap(([status, count]) =>
      counter(`request.status.${status}`, count - (before.statuses.get(status) ?? 0)),
    ),
    ...timingLines(before.durations, now.durations, line),
    ...LEVELS.flatMap((level) =>
      counter(`log.${level}`, (now.logLines.get(level) ?? 0) - (before.logLines.get(level) ?? 0)),
    ),
    ...(gauges.workers === undefined ? [] : [line("workers", gauges.workers, "g")]),
    // gunicorn sends it as a timer too, from which statsd has its highest value and percentiles.
    ...(gauges.backlog === undefined ? [] : [line("backlog", gauges.backlog, "ms")]),
  ];
}

function timingLines(
  before: Distribution,
  now: Distribution,
  line: (name: string, value: number, type: string) => string,
): string[] {
  const { values, rate } = timingsOf(
    {
      bounds: now.bounds,
      counts: now.counts.map((count, index) => Math.max(0, count - (before.counts[index] as number))),
      sum: Math.max(0, now.sum - before.sum),
    },
    MAX_TIMINGS,
  );
  const type = rate === 1 ? "ms" : `ms|@${rate.toFixed(8)}`;
  return values.map((seconds) => line("request.duration", round(seconds * 1000), type));
}

/** Whole microseconds, in milliseconds: never written with an exponent, which not every server reads. */
function round(milliseconds: number): number {
  return Number(milliseconds.toFixed(3));
}

/** Joins lines to datagrams, as many as fit. A line that is longer by itself is sent alone. */
export function statsdDatagrams(lines: readonly string[]): Buffer[] {
  const datagrams: string[] = [];
  let current = "";
  for (const line of lines) {
    const joined = current === "" ? line : `${current}\n${line}`;
    if (current !== "" && Buffer.byteLength(joined) > MAX_DATAGRAM_BYTES) {
      datagrams.push(current);
      current = line;
    } else current = joined;
  }
  if (current !== "") datagrams.push(current);
  return datagrams.map((text) => Buffer.from(text));
}
