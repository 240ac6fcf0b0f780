/**
 * The metrics of apps, merged over workers: counters and histograms are summed, gauges and summaries get the label `slot`.
 * The app may report anything, so names, labels and numbers are checked, and their number is bounded. Pure.
 */
import type { Family, Sample } from "./exposition.ts";

/** Samples of a server's apps; more would burden who scrapes. */
export const MAX_APP_SAMPLES = 5000;
const MAX_TEXT = 500;
/** Labels of a sample. */
const MAX_LABELS = 30;

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/;
const TYPES = ["counter", "gauge", "histogram", "summary"] as const;

interface AppSample {
  /** The sample's own name: `NAME_bucket` in a histogram. */
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
}

export interface AppMetric {
  readonly name: string;
  readonly type: (typeof TYPES)[number];
  readonly help: string;
  readonly samples: readonly AppSample[];
}

/** Reads what `getMetricsAsJSON()` of prom-client gives. What is malformed is left out. */
export function readAppMetrics(value: unknown): AppMetric[] {
  if (!Array.isArray(value)) return [];
  let room = MAX_APP_SAMPLES;
  return value.flatMap((each: unknown) => {
    const { name, type, help, values, aggregator } = (each ?? {}) as Record<string, unknown>;
    const kind = TYPES.find((known) => known === type);
    if (typeof name !== "string" || !METRIC_NAME.test(name) || kind === undefined) return [];
    // As in prom-client's own merging: such a metric is not for a whole server.
    if (aggregator === "omit" || !Array.isArray(values)) return [];
    const samples = values.flatMap((sample) => readSample(name, sample)).slice(0, room);
    room -= samples.length;
    return [{ name, type: kind, help: typeof help === "string" ? help.slice(0, MAX_TEXT) : name, samples }];
  });
}

function readSample(family: string, sample: unknown): AppSample[] {
  const { value, labels, metricName } = (sample ?? {}) as Record<string, unknown>;
  const name = typeof metricName === "string" ? metricName : family;
  if (typeof value !== "number" || !name.startsWith(family) || !METRIC_NAME.test(name)) return [];
  const pairs = Object.entries((labels ?? {}) as Record<string, unknown>).filter(
    ([label, text]) => LABEL_NAME.test(label) && !isObject(text),
  );
  const shown = pairs.slice(0, MAX_LABELS);
  return [{ name, value, labels: shown.map(([label, text]) => [label, String(text).slice(0, MAX_TEXT)]) }];
}

/** One that cannot be a text would fail the whole report. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** The metrics of one worker's app. */
export interface AppReading {
  readonly slot: number;
  readonly metrics: readonly AppMetric[];
}

/** Only these can be added, and outlive a worker. */
export function isSummed({ type }: Pick<AppMetric, "type">): boolean {
  return type === "counter" || type === "histogram";
}

/** Adds the sums of one reading to another; what is not a sum is dropped. */
export function addSums(sums: readonly AppMetric[], reading: readonly AppMetric[]): AppMetric[] {
  const families = new Map<string, { metric: AppMetric; samples: Map<string, AppSample> }>();
  for (const metric of [...sums, ...reading].filter(isSummed)) {
    const family = families.get(metric.name) ?? { metric, samples: new Map<string, AppSample>() };
    families.set(metric.name, family);
    // Another type under the same name cannot be added.
    if (family.metric.type !== metric.type) continue;
    for (const sample of metric.samples) {
      const key = JSON.stringify([sample.name, [...sample.labels].sort()]);
      const value = (family.samples.get(key)?.value ?? 0) + sample.value;
      family.samples.set(key, { ...sample, value });
    }
  }
  // New names come with every worker if the app makes them up: all families together are bounded, the first ones stay.
  let room = MAX_APP_SAMPLES;
  return [...families.values()].flatMap(({ metric, samples }) => {
    const kept = [...samples.values()].slice(0, room);
    room -= kept.length;
    return kept.length === 0 ? [] : [{ ...metric, samples: kept }];
  });
}

/**
 * The families to show.
 *
 * @param sums of workers that have ended
 * @param readings of those that live
 * @param taken names of tsgun's own families, which the app cannot take
 */
export function appFamilies(
  sums: readonly AppMetric[],
  readings: readonly AppReading[],
  taken: ReadonlySet<string>,
): Family[] {
  const summed = readings.reduce((all, { metrics }) => addSums(all, metrics), [...sums]);
  const bySlot = new Map<string, AppMetric>();
  for (const { slot, metrics } of readings) {
    for (const metric of metrics.filter((each) => !isSummed(each))) {
      const labelled = metric.samples.map((sample) => ({
        ...sample,
        labels: [...sample.labels.filter(([name]) => name !== "slot"), ["slot", String(slot)] as const],
      }));
      const known = bySlot.get(metric.name) ?? { ...metric, samples: [] };
      bySlot.set(metric.name, { ...known, samples: [...known.samples, ...labelled] });
    }
  }
  const names = new Set<string>();
  return [...summed, ...bySlot.values()].flatMap(({ name, type, help, samples }) => {
    if (isTaken(name, taken) || names.has(name)) return [];
    names.add(name);
    return [{ name, type, help, samples: samples.map((sample) => shown(name, sample)) }];
  });
}

/** Whether its samples could be taken for those of one of tsgun's families. */
function isTaken(name: string, taken: ReadonlySet<string>): boolean {
  return taken.has(name) || taken.has(name.replace(/_(?:bucket|sum|count|total)$/, ""));
}

function shown(family: string, { name, labels, value }: AppSample): Sample {
  const suffix = name.slice(family.length);
  return suffix === "" ? { labels, value } : { suffix, labels, value };
}
