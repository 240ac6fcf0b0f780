/** The last ten minutes, a point every two seconds. */
import type { HistoryReport } from "../../control/stats.ts";
import {
  type CLASSES,
  type Counts,
  hundredths,
  noCounts,
  percentile,
  ratesBetween,
  tallyBetween,
  valuesBetween,
} from "../../metrics/counts.ts";
import { DURATION_BUCKETS, QUEUE_BUCKETS } from "../../scoreboard/metrics.ts";
import type { WorkerFigures } from "./worker-figures.ts";

const HISTORY_INTERVAL_MS = 2000;
const HISTORY_POINTS = 300;
/** Samples come a little earlier or later than each second. */
const EARLY_MS = 300;

/** A worker at a moment. */
export interface SlotPoint extends WorkerFigures {
  readonly slot: number;
  readonly pssBytes: number | null;
}

/** The server at a moment. */
export interface Moment {
  /** As in `performance.now()`, and in milliseconds since the epoch. */
  readonly at: number;
  readonly time: number;
  readonly total: Counts;
  readonly inFlight: number;
  readonly connections: number;
  /** Connections that wait at all listeners; null if the system does not say. */
  readonly backlog: number | null;
  readonly slots: readonly SlotPoint[];
}

interface Point extends Omit<Moment, "total" | "at"> {
  readonly rates: ReturnType<typeof ratesBetween>;
  readonly durations: readonly number[];
  readonly queueP99: number | null;
  readonly rejected: Readonly<Record<string, number>>;
  readonly exits: Readonly<Record<string, number>>;
  readonly starts: number;
}

export class History {
  readonly #points: Point[] = [];
  #last: { readonly at: number; readonly total: Counts } | undefined;

  /** Whether a point is due. */
  isDue(at: number): boolean {
    return this.#last === undefined || at - this.#last.at >= HISTORY_INTERVAL_MS - EARLY_MS;
  }

  /** Adds a point; the first moment only begins the first interval. */
  add({ at, total, ...moment }: Moment): void {
    const last = this.#last;
    this.#last = { at, total };
    if (last === undefined) return;
    this.#points.push({ ...moment, ...pointBetween(total, last.total, (at - last.at) / 1000) });
    if (this.#points.length > HISTORY_POINTS) this.#points.shift();
  }

  /** @param since only points after this time, in milliseconds since the epoch */
  report(since = 0): HistoryReport {
    const points = this.#points.filter(({ time }) => time > since);
    const zero = noCounts();
    const rejected = [...new Set(points.flatMap((point) => Object.keys(point.rejected)))];
    const exits = [...new Set(points.flatMap((point) => Object.keys(point.exits)))];
    const byClass = Object.keys(zero.byClass) as (typeof CLASSES)[number][];
    return {
      interval: HISTORY_INTERVAL_MS,
      time: points.map(({ time }) => time),
      byClass: columns(byClass, (name) => points.map(({ rates }) => rates.byClass[name] ?? 0)),
      errorRatio: points.map(({ rates }) => Math.round(rates.errorRatio * 1e6) / 1e6),
      p50: points.map(({ rates }) => rates.p50),
      p90: points.map(({ rates }) => rates.p90),
      p99: points.map(({ rates }) => rates.p99),
      durations: { bounds: [...DURATION_BUCKETS], counts: points.map(({ durations }) => durations) },
      queueP99: points.map(({ queueP99 }) => queueP99),
      backlog: points.map(({ backlog }) => backlog),
      inFlight: points.map(({ inFlight }) => inFlight),
      connections: points.map(({ connections }) => connections),
      rejected: columns(rejected, (name) => points.map((point) => point.rejected[name] ?? 0)),
      starts: points.map(({ starts }) => starts),
      exits: columns(exits, (name) => points.map((point) => point.exits[name] ?? 0)),
      slots: slotColumns(points),
    };
  }
}

function pointBetween(
  after: Counts,
  before: Counts,
  seconds: number,
): Omit<Point, keyof Omit<Moment, "total" | "at">> {
  const queue = valuesBetween(after.queue, before.queue);
  return {
    rates: ratesBetween(after, before, seconds),
    // Without the sum: the buckets, and the rest above them.
    durations: valuesBetween(after.durations, before.durations).slice(0, -1),
    queueP99: percentile(queue, QUEUE_BUCKETS, 0.99),
    rejected: tallyBetween(after.rejected, before.rejected),
    exits: tallyBetween(after.exits, before.exits),
    starts: Math.max(0, hundredths(after.starts - before.starts)),
  };
}

function columns<T>(names: readonly string[], column: (name: never) => T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, column(name as never)]));
}

function slotColumns(points: readonly Point[]): HistoryReport["slots"] {
  const slots = [...new Set(points.flatMap((point) => point.slots.map(({ slot }) => slot)))];
  return slots
    .sort((one, other) => one - other)
    .map((slot) => {
      const own = points.map((point) => point.slots.find((each) => each.slot === slot));
      return {
        slot,
        loopUtilization: own.map((point) => point?.loopUtilization ?? null),
        loopDelayP99: own.map((point) => point?.loopDelayP99 ?? null),
        pssBytes: own.map((point) => point?.pssBytes ?? null),
        cpu: own.map((point) => point?.cpu ?? null),
        gcShare: own.map((point) => point?.gcShare ?? null),
      };
    });
}
