/** Adds pages, vitals, lost requests and observations to sums. Pure. */

import { FOLDED_METRICS, SLOT_VALUES } from "../../scoreboard/arbiter-metrics.ts";
import { METHODS } from "../../scoreboard/layout.ts";
import { DURATION_BUCKETS, WORKER_METRICS } from "../../scoreboard/metrics.ts";
import type { Vitals } from "../../scoreboard/page-reader.ts";
import type { PageCounts } from "../../scoreboard/region-reader.ts";
import { type SeriesKey, seriesKey } from "../../scoreboard/series-key.ts";
import type { Series, SeriesTable } from "../../scoreboard/series-table.ts";

/** Adds what a worker that lives has counted. */
export function addPage(all: SeriesTable, page: PageCounts): void {
  all.addAll(page.series);
  if (page.vitals !== undefined) all.addAll(vitalSeries(page.header.slot, page.vitals));
}

/** The cumulative vitals as series. */
export function vitalSeries(slot: number, vitals: Vitals): Series[] {
  const ofSlot = Float64Array.from(SLOT_VALUES, (name) => Math.max(0, vitals[name]));
  return [
    { key: seriesKey(FOLDED_METRICS.slot, [String(slot)]), values: ofSlot },
    {
      key: seriesKey(FOLDED_METRICS.connections, []),
      values: Float64Array.of(Math.max(0, vitals.connectionsAccepted)),
    },
  ];
}

/** The series of requests that were lost with their worker. */
export function killedKey(method: string): SeriesKey {
  const known = (METHODS as readonly string[]).includes(method) ? method : "_OTHER";
  return seriesKey(
    WORKER_METRICS.requestDuration,
    WORKER_METRICS.requestDuration.labels.map((label) =>
      label === "http_request_method" ? known : label === "error_type" ? "worker_killed" : "",
    ),
  );
}

/** One observation, as the values of a histogram's series: buckets, the rest above them, the sum. */
export function observation(value: number, buckets: readonly number[] = DURATION_BUCKETS): Float64Array {
  const values = new Float64Array(buckets.length + 2);
  const amount = Number.isFinite(value) ? Math.max(0, value) : 0;
  const bucket = buckets.findIndex((bound) => amount <= bound);
  values[bucket === -1 ? buckets.length : bucket] = 1;
  values[buckets.length + 1] = amount;
  return values;
}
