/** The merging of what apps count; what they send may be anything. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addSums, appFamilies, MAX_APP_SAMPLES, readAppMetrics } from "../../src/metrics/app-metrics.ts";
import { prometheusText } from "../../src/metrics/exposition.ts";

function counter(value: number, labels: Record<string, string | number> = {}) {
  return { name: "orders", type: "counter", help: "Orders.", values: [{ value, labels }] };
}

describe("Metrics of apps", () => {
  test("are read as prom-client gives them, and what is malformed is left out", () => {
    const read = readAppMetrics([
      counter(3, { "bad label": "x", kind: 7 }),
      { name: "9", type: "counter", values: [] },
      { name: "x", type: "nothing", values: [] },
      { name: "y", type: "gauge", aggregator: "omit", values: [{ value: 1, labels: {} }] },
      {
        name: "h",
        type: "histogram",
        help: 5,
        values: [{ metricName: "other_bucket", value: 1 }, { value: "1" }],
      },
      null,
      "text",
    ]);
    assert.deepEqual(read, [
      {
        name: "orders",
        type: "counter",
        help: "Orders.",
        samples: [{ name: "orders", value: 3, labels: [["kind", "7"]] }],
      },
      { name: "h", type: "histogram", help: "h", samples: [] },
    ]);
    assert.deepEqual(readAppMetrics("nothing"), []);
  });

  test("are bounded", () => {
    const values = Array.from({ length: 2 * MAX_APP_SAMPLES }, (_, each) => ({ value: 1, labels: { each } }));
    const [read] = readAppMetrics([{ name: "many", type: "counter", help: "", values }]);
    assert.equal(read?.samples.length, MAX_APP_SAMPLES);
  });

  test("are summed if they are counters, and by slot otherwise", () => {
    const gauge = {
      name: "open",
      type: "gauge",
      help: "Open.",
      values: [{ value: 1, labels: { slot: "mine" } }],
    };
    const readings = [1, 2].map((slot) => ({
      slot,
      metrics: readAppMetrics([counter(slot, { a: 1, b: 2 }), gauge]),
    }));
    const ended = addSums([], readAppMetrics([counter(10, { b: 2, a: 1 }), gauge]));
    const text = prometheusText(appFamilies(ended, readings, new Set(["taken"])));
    assert.equal(
      text,
      [
        "# HELP orders Orders.",
        "# TYPE orders counter",
        'orders{a="1",b="2"} 13',
        "# HELP open Open.",
        "# TYPE open gauge",
        'open{slot="1"} 1',
        'open{slot="2"} 1',
        "",
      ].join("\n"),
    );
  });

  test("cannot take the name of a family of tsgun", () => {
    const readings = [{ slot: 1, metrics: readAppMetrics([counter(1)]) }];
    assert.deepEqual(appFamilies([], readings, new Set(["orders"])), []);
  });
});
