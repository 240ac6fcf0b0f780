/** From series of the scoreboard to families of samples. Pure. */
import {
  ARBITER_METRICS,
  FOLDED_METRICS,
  REPORT_METRICS,
  SLOT_VALUES,
} from "../scoreboard/arbiter-metrics.ts";
import { EXIT_REASONS, type Metric, REJECT_REASONS, WORKER_METRICS } from "../scoreboard/metrics.ts";
import type { Series } from "../scoreboard/series-table.ts";
import type { Family, Sample } from "./exposition.ts";

const OUTCOMES = ["success", "failure"];

/** Label values of counters that are 0 until something happens: a rate needs the zero before the first. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  [ARBITER_METRICS.exits.id]: EXIT_REASONS,
  [WORKER_METRICS.rejected.id]: REJECT_REASONS,
  [ARBITER_METRICS.reloads.id]: OUTCOMES,
  [ARBITER_METRICS.upgrades.id]: OUTCOMES,
  [WORKER_METRICS.logLinesDropped.id]: ["access", "error"],
};

/** Garbage collections by kind, and the vitals that measure them; not all are counted. */
const COLLECTIONS: readonly {
  readonly kind: string;
  readonly time: (typeof SLOT_VALUES)[number];
  readonly count?: (typeof SLOT_VALUES)[number];
}[] = [
  { kind: "minor", time: "gcMinor", count: "gcMinorCount" },
  { kind: "major", time: "gcMajor", count: "gcMajorCount" },
  { kind: "incremental", time: "gcIncremental" },
  { kind: "weakcb", time: "gcWeakCallback" },
];

/**
 * Families of all that workers and arbiters have counted.
 *
 * @param isCounting whether workers count; without that their metrics are left out, since a 0 would be no count
 */
export function countedFamilies(series: Iterable<Series>, isCounting = true): Family[] {
  const byMetric = new Map<string, Series[]>();
  for (const each of series) {
    const known = byMetric.get(each.key.metric.id);
    if (known === undefined) byMetric.set(each.key.metric.id, [each]);
    else known.push(each);
  }
  const metrics: Metric[] = [
    ...(isCounting ? Object.values(WORKER_METRICS) : []),
    ...Object.values(ARBITER_METRICS),
    ...(isCounting ? [FOLDED_METRICS.connections] : []),
  ];
  return [
    ...metrics.map((metric) => family(metric, byMetric.get(metric.id) ?? [])),
    ...slotFamilies(byMetric.get(FOLDED_METRICS.slot.id) ?? []),
  ];
}

function family(metric: Metric, series: readonly Series[]): Family {
  const samples = series.flatMap((each) => samplesOf(metric, each));
  const [label] = metric.labels;
  const missing = metric.type === "counter" ? (label === undefined ? [""] : (KNOWN[metric.id] ?? [])) : [];
  for (const value of missing) {
    const isThere = series.some(({ key }) => (key.labels[0] ?? "") === value);
    if (!isThere) samples.push({ labels: label === undefined ? [] : [[label, value]], value: 0 });
  }
  return { name: metric.name, type: metric.type, help: metric.help, samples };
}

function samplesOf(metric: Metric, { key, values }: Series): Sample[] {
  const labels = metric.labels.map((name, index) => [name, key.labels[index] ?? ""] as const);
  if (metric.buckets === undefined) return [{ labels, value: values[0] as number }];
  const samples: Sample[] = [];
  let count = 0;
  for (const [index, bound] of metric.buckets.entries()) {
    count += values[index] as number;
    samples.push({ suffix: "_bucket", labels: [...labels, ["le", String(bound)]], value: count });
  }
  count += values[metric.buckets.length] as number;
  return [
    ...samples,
    { suffix: "_bucket", labels: [...labels, ["le", "+Inf"]], value: count },
    { suffix: "_sum", labels, value: values[metric.buckets.length + 1] as number },
    { suffix: "_count", labels, value: count },
  ];
}

/** CPU time and collections, which share a series. */
function slotFamilies(series: readonly Series[]): Family[] {
  const value = ({ values }: Series, name: (typeof SLOT_VALUES)[number]): number =>
    values[SLOT_VALUES.indexOf(name)] as number;
  const slots = [...series].sort((one, other) => slotOf(one) - slotOf(other));
  const cpu = slots.map((each) => ({
    labels: [["slot", each.key.labels[0] ?? ""]] as const,
    value: (value(each, "cpuUser") + value(each, "cpuSystem")) / 1000,
  }));
  const collections = slots.flatMap((each) =>
    COLLECTIONS.flatMap(({ kind, time, count }): Sample[] => {
      const labels = [
        ["slot", each.key.labels[0] ?? ""],
        ["v8js_gc_type", kind],
      ] as const;
      const sum = { suffix: "_sum", labels, value: value(each, time) / 1000 };
      return count === undefined ? [sum] : [sum, { suffix: "_count", labels, value: value(each, count) }];
    }),
  );
  const { slot } = FOLDED_METRICS;
  const { gc } = REPORT_METRICS;
  return [
    { name: slot.name, type: slot.type, help: slot.help, samples: cpu },
    { name: gc.name, type: gc.type, help: gc.help, samples: collections },
  ];
}

function slotOf({ key }: Series): number {
  return Number(key.labels[0]);
}

/** The family of a gauge. Values that are not known are left out. */
export function gaugeFamily(
  { name, help, labels }: Metric,
  values: Iterable<readonly [labels: readonly string[], value: number | null | undefined]>,
): Family {
  const samples: Sample[] = [];
  for (const [given, value] of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    samples.push({ labels: labels.map((label, index) => [label, given[index] ?? ""] as const), value });
  }
  return { name, type: "gauge", help, samples };
}
