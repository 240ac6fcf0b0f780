/**
 * The metrics that the app of this worker keeps itself. They are kept on the global object, because the app may import
 * another copy of this package than the one that serves it.
 */

/** A registry of prom-client, or what looks like one. */
export interface MetricsRegistry {
  /** All metrics as data, as prom-client gives them. */
  getMetricsAsJSON(): Promise<unknown> | unknown;
}

const KEY = Symbol.for("tsgun.metrics");

function holder(): { [KEY]?: Set<MetricsRegistry> } {
  return globalThis as { [KEY]?: Set<MetricsRegistry> };
}

/**
 * Has `/metrics` show the metrics of a registry of prom-client, merged with those of the other workers: counters and
 * histograms as sums, gauges with the label `slot`. Needs `--app-metrics`, which finds prom-client's default registry
 * without this. Outside a worker this has no effect.
 *
 * @throws TypeError if it has no method `getMetricsAsJSON`
 */
export function exposeMetrics(registry: MetricsRegistry): void {
  if (typeof registry?.getMetricsAsJSON !== "function")
    throw new TypeError("exposeMetrics takes a registry of prom-client: an object with getMetricsAsJSON()");
  holder()[KEY] ??= new Set();
  holder()[KEY]?.add(registry);
}

/** The registries that the app has named. */
export function exposedRegistries(): MetricsRegistry[] {
  return [...(holder()[KEY] ?? [])];
}
