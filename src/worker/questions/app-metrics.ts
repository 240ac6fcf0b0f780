/** The metrics that the app keeps itself, with prom-client. */
import { createRequire } from "node:module";
import { exposedRegistries, type MetricsRegistry } from "../../interop/exposed-metrics.ts";

/** More than a server should show; the arbiter takes no more samples than it can serve. */
const MAX_BYTES = 1024 * 1024;

const MAIN_FILE = /[\\/]prom-client[\\/]index\.js$/;

/**
 * All metrics of the registries that the app has named, and of prom-client's default one.
 * @throws Error with one line
 */
export async function appMetrics(): Promise<unknown[]> {
  const registries = new Set([...exposedRegistries(), ...defaultRegistries()]);
  const metrics: unknown[] = [];
  for (const registry of registries) {
    const found = await registry.getMetricsAsJSON();
    if (Array.isArray(found)) metrics.push(...found);
  }
  const bytes = JSON.stringify(metrics).length;
  if (bytes > MAX_BYTES) throw new Error(`the app's metrics are too large: ${bytes} bytes`);
  return metrics;
}

/** The default registry of each copy of prom-client that the app has loaded: the package is CommonJS. */
function defaultRegistries(): MetricsRegistry[] {
  return Object.entries(createRequire(import.meta.url).cache).flatMap(([path, module]) => {
    const { register } = ((MAIN_FILE.test(path) && module?.exports) || {}) as { register?: MetricsRegistry };
    return typeof register?.getMetricsAsJSON === "function" ? [register] : [];
  });
}
