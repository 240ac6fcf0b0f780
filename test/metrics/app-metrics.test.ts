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
    const labels = Object.fromEntries(Array.from({ length: 100 }, (_, each) => [`l${each}`, "x"]));
    const [labelled] = readAppMetrics([counter(1, labels)]);
    assert.equal(labelled?.samples[0]?.labels.length, 30);
  });

  test("of ended workers are bounded, whatever names their apps make up", () => {
    let sums = addSums([], []);
    for (let worker = 0; worker < 20; worker++) {
      const made = Array.from({ length: 1000 }, (_, each) => ({
        ...counter(1),
        name: `made_${worker}_${each}`,
      }));
      sums = addSums(sums, readAppMetrics(made));
    }
    const samples = sums.reduce((sum, metric) => sum + metric.samples.length, 0);
    assert.equal(samples, MAX_APP_SAMPLES);
    assert.equal(sums.length, MAX_APP_SAMPLES, "and no family is kept without samples");
  });

  test("cannot fail the report with a label that is no text, nor forge samples of tsgun's own", () => {
    const hostile = { toString: 1, valueOf: 1 };
    const metrics = readAppMetrics([
      { name: "a", type: "counter", values: [{ value: 1, labels: { b: hostile, c: "d" } }] },
      { name: "own_seconds_bucket", type: "counter", values: [{ value: 1, labels: { le: "1" } }] },
      { name: "own_seconds_count", type: "gauge", values: [{ value: 1, labels: {} }] },
    ]);
    const families = appFamilies([], [{ slot: 1, metrics }], new Set(["own_seconds"]));
    assert.deepEqual(
      families.map(({ name, samples }) => [name, samples]),
      [["a", [{ labels: [["c", "d"]], value: 1 }]]],
    );
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
