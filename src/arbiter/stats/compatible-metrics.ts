/** `--metrics-compat prom-client`: the names that dashboards for prom-client's default metrics know, by slot. */
import type { Family } from "../../metrics/exposition.ts";
import { gaugeFamily } from "../../metrics/families.ts";
import type { Metric } from "../../scoreboard/metrics.ts";
import { loopDelay, type SlotFigures } from "./slot-figures.ts";

function gauge(name: string, help: string): Metric {
  return { id: name, name, type: "gauge", help, labels: ["slot"] };
}

type Value = (slot: SlotFigures) => number | null | undefined;

const FAMILIES: readonly (readonly [Metric, Value])[] = [
  [
    gauge("nodejs_eventloop_lag_seconds", "Lag of event loop in seconds."),
    (slot) => loopDelay(slot, "loopDelayP50"),
  ],
  [
    gauge("nodejs_eventloop_lag_p50_seconds", "The 50th percentile of the event loop delays."),
    (slot) => loopDelay(slot, "loopDelayP50"),
  ],
  [
    gauge("nodejs_eventloop_lag_p90_seconds", "The 90th percentile of the event loop delays."),
    (slot) => loopDelay(slot, "loopDelayP90"),
  ],
  [
    gauge("nodejs_eventloop_lag_p99_seconds", "The 99th percentile of the event loop delays."),
    (slot) => loopDelay(slot, "loopDelayP99"),
  ],
  [
    gauge("nodejs_eventloop_lag_max_seconds", "The maximum event loop delay."),
    (slot) => loopDelay(slot, "loopDelayMax"),
  ],
  [
    gauge("nodejs_heap_size_total_bytes", "Process heap size from Node.js in bytes."),
    ({ vitals }) => vitals?.heapTotal,
  ],
  [
    gauge("nodejs_heap_size_used_bytes", "Process heap size used from Node.js in bytes."),
    ({ vitals }) => vitals?.heapUsed,
  ],
];

export function compatibleFamilies(slots: readonly SlotFigures[]): Family[] {
  return FAMILIES.map(([metric, value]) =>
    gaugeFamily(
      metric,
      slots.map((slot) => [[String(slot.slot)], value(slot)] as const),
    ),
  );
}
