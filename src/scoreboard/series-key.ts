/**
 * The key of a series, taken apart. A key comes from a worker, whose app may write anything to its page: labels with a
 * fixed set of values keep to it, the others to a form, so that nothing but bounded text leaves the scoreboard.
 */

import { ARBITER_METRICS, FOLDED_METRICS } from "./arbiter-metrics.ts";
import { METHODS } from "./layout.ts";
import { ERROR_TYPES, type Metric, WORKER_METRICS } from "./metrics.ts";

export interface SeriesKey {
  /** The key in its cleaned form. */
  readonly text: string;
  readonly metric: Metric;
  /** The values of the metric's labels, in their order; "" for a label that the series does not have. */
  readonly labels: readonly string[];
}

const WORKER_IDS = byId(WORKER_METRICS);
const TOTALS_IDS = new Map([...WORKER_IDS, ...byId(ARBITER_METRICS), ...byId(FOLDED_METRICS)]);

function byId(metrics: Readonly<Record<string, Metric>>): ReadonlyMap<string, Metric> {
  return new Map(Object.values(metrics).map((metric) => [metric.id, metric]));
}

const MAX_LABEL_LENGTH = 96;
/** The value of a label that is not one of its values, or one of too many. */
export const OTHER = "_other";

type Clean = (value: string) => string;

const SETS: Readonly<Record<string, ReadonlySet<string>>> = {
  http_request_method: new Set(METHODS),
  url_scheme: new Set(["http", "https", ""]),
  error_type: new Set(ERROR_TYPES),
};
const OUTSIDE: Readonly<Record<string, string>> = { http_request_method: "_OTHER", url_scheme: "" };

const FORMS: Readonly<Record<string, Clean>> = {
  http_response_status_code: (value) => (/^[1-9]\d\d$/.test(value) ? value : ""),
  network_protocol_version: (value) => (/^\d(\.\d)?$/.test(value) ? value : ""),
  http_route: (value) => value.replace(/[^\x20-\x7e\xa0-\xff]/g, "?").slice(0, MAX_LABEL_LENGTH),
  slot: (value) => (/^[1-9]\d{0,3}$/.test(value) ? value : OTHER),
};

function clean(label: string, value: string): string {
  const set = SETS[label];
  if (set !== undefined) return set.has(value) ? value : (OUTSIDE[label] ?? OTHER);
  const form = FORMS[label];
  if (form !== undefined) return form(value);
  return /^[a-z0-9_-]{1,32}$/i.test(value) ? value : OTHER;
}

/**
 * Takes a key apart; undefined if it names no metric, or has another number of labels.
 * @param of whether it is on a worker's page, or on one of totals
 */
export function parseKey(key: string, of: "worker" | "totals"): SeriesKey | undefined {
  const [id = "", ...values] = key.split("|");
  const metric = (of === "worker" ? WORKER_IDS : TOTALS_IDS).get(id);
  if (metric === undefined || values.length !== metric.labels.length) return undefined;
  return seriesKey(
    metric,
    values.map((value, index) => clean(metric.labels[index] as string, value)),
  );
}

/** @param labels trusted values, in the order of the metric's labels */
export function seriesKey(metric: Metric, labels: readonly string[]): SeriesKey {
  return { text: [metric.id, ...labels].join("|"), metric, labels };
}

/** The key that takes what does not fit: its route given up first, or all of its labels. */
export function overflowKey({ metric, labels }: SeriesKey, givenUp: "route" | "all"): SeriesKey {
  return seriesKey(
    metric,
    metric.labels.map((label, index) => {
      const value = labels[index] as string;
      if (label === "http_route") return value === "" ? "" : OTHER;
      if (givenUp === "route" || label === "url_scheme" || label === "error_type") return value;
      return label === "http_response_status_code" || label === "network_protocol_version"
        ? ""
        : (OUTSIDE[label] ?? OTHER);
    }),
  );
}
