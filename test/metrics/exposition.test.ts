/** Metrics as text, in both formats. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addSeries, noCounts, percentile, ratesBetween } from "../../src/metrics/counts.ts";
import {
  type Family,
  openMetricsText,
  prefersOpenMetrics,
  prometheusText,
} from "../../src/metrics/exposition.ts";
import { countedFamilies } from "../../src/metrics/families.ts";
import { ARBITER_METRICS, FOLDED_METRICS } from "../../src/scoreboard/arbiter-metrics.ts";
import { WORKER_METRICS } from "../../src/scoreboard/metrics.ts";
import { seriesKey } from "../../src/scoreboard/series-key.ts";
import { SeriesTable } from "../../src/scoreboard/series-table.ts";

const FAMILIES: readonly Family[] = [
  {
    name: "a_total",
    type: "counter",
    help: 'Backslash \\, newline \n and "quote".',
    samples: [{ labels: [["label", 'x"\\\n']], value: 3 }],
  },
  {
    name: "b",
    type: "gauge",
    help: "B.",
    samples: [{ labels: [["none", ""]], value: Number.POSITIVE_INFINITY }],
  },
  {
    name: "c_seconds",
    type: "histogram",
    help: "C.",
    samples: [{ suffix: "_bucket", labels: [["le", "1"]], value: 1 }],
  },
  { name: "nothing", type: "gauge", help: "No samples.", samples: [] },
];

/** A table of requests: keys and values. */
function tableOf(...series: readonly (readonly [string, string, readonly number[]])[]): SeriesTable {
  const table = new SeriesTable();
  for (const [status, error, values] of series)
    table.add(seriesKey(WORKER_METRICS.requestDuration, ["GET", status, "http", "1.1", error, ""]), values);
  return table;
}

describe("Metrics as text", () => {
  test("in Prometheus' format", () => {
    assert.equal(
      prometheusText(FAMILIES),
      [
        '# HELP a_total Backslash \\\\, newline \\n and "quote".',
        "# TYPE a_total counter",
        'a_total{label="x\\"\\\\\\n"} 3',
        "# HELP b B.",
        "# TYPE b gauge",
        "b +Inf",
        "# HELP c_seconds C.",
        "# TYPE c_seconds histogram",
        'c_seconds_bucket{le="1"} 1',
        "",
      ].join("\n"),
    );
  });

  test("in OpenMetrics", () => {
    assert.equal(
      openMetricsText(FAMILIES),
      [
        "# TYPE a counter",
        '# HELP a Backslash \\\\, newline \\n and \\"quote\\".',
        'a_total{label="x\\"\\\\\\n"} 3',
        "# TYPE b gauge",
        "# HELP b B.",
        "b +Inf",
        "# TYPE c_seconds histogram",
        "# HELP c_seconds C.",
        'c_seconds_bucket{le="1.0"} 1',
        "# EOF",
        "",
      ].join("\n"),
    );
  });

  test("in the one that the client prefers", () => {
    const prometheus =
      "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (const [accept, expected] of [
      [prometheus, true],
      ["application/openmetrics-text", true],
      ["application/openmetrics-text; version=1.0.0", true],
      ["application/openmetrics-text; version=2.0.0", false],
      ["text/plain, application/openmetrics-text;q=0.5", false],
      ["application/openmetrics-text;q=0", false],
      ["*/*", false],
      [undefined, false],
    ] as const)
      assert.equal(prefersOpenMetrics(accept), expected, String(accept));
  });
});

describe("Families of what was counted", () => {
  test("have cumulative buckets, and a count that they end with", () => {
    const families = countedFamilies(
      tableOf(["200", "", [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 60.5]]),
    );
    const { samples } = families.find(
      ({ name }) => name === "http_server_request_duration_seconds",
    ) as Family;
    assert.deepEqual(
      samples.map(({ suffix, value }) => `${suffix} ${value}`),
      ["_bucket 1", ...Array.from({ length: 13 }, () => "_bucket 3"), "_bucket 7", "_sum 60.5", "_count 7"],
    );
  });

  test("have counters at zero for every reason that is known", () => {
    const table = new SeriesTable();
    table.add(seriesKey(ARBITER_METRICS.exits, ["crash"]), [2]);
    const { samples } = countedFamilies(table).find(
      ({ name }) => name === "tsgun_worker_exits_total",
    ) as Family;
    assert.equal(samples.length, 13);
    assert.deepEqual(
      samples.filter(({ value }) => value > 0).map(({ labels }) => labels),
      [[["reason", "crash"]]],
    );
  });

  test("tell the CPU time and the collections of a slot in seconds", () => {
    const table = new SeriesTable();
    table.add(seriesKey(FOLDED_METRICS.slot, ["2"]), [1000, 500, 250, 0, 0, 0, 7, 0]);
    const families = countedFamilies(table);
    const cpu = families.find(({ name }) => name === "process_cpu_seconds_total");
    assert.deepEqual(cpu?.samples, [{ labels: [["slot", "2"]], value: 1.5 }]);
    const text = prometheusText(families.filter(({ type }) => type === "summary"));
    assert.match(text, /^v8js_gc_duration_seconds_sum\{slot="2",v8js_gc_type="minor"\} 0.25$/m);
    assert.match(text, /^v8js_gc_duration_seconds_count\{slot="2",v8js_gc_type="minor"\} 7$/m);
  });
});

describe("Rates", () => {
  test("are those between two readings", () => {
    const [before, after] = [noCounts(), noCounts()];
    addSeries(before, tableOf(["200", "", [10]]));
    addSeries(after, tableOf(["200", "", [18]], ["503", "", [0, 1]], ["", "worker_killed", [0, 0, 1]]));
    const rates = ratesBetween(after, before, 2);
    assert.equal(rates.requestsPerSecond, 5);
    assert.deepEqual(
      Object.entries(rates.byClass).filter(([, rate]) => rate > 0),
      [
        ["2xx", 4],
        ["5xx", 0.5],
        ["none", 0.5],
      ],
    );
    assert.equal(rates.errorRatio, 0.2);
    assert.equal(ratesBetween(after, after, 2).p99, null);
  });

  test("tell what was refused for load, and nothing else that was", () => {
    const refused = (counts: Readonly<Record<string, number>>): SeriesTable => {
      const table = new SeriesTable();
      for (const [reason, count] of Object.entries(counts))
        table.add(seriesKey(WORKER_METRICS.rejected, [reason]), [count]);
      return table;
    };
    const [before, after] = [noCounts(), noCounts()];
    addSeries(before, refused({ overload: 3, malformed: 1 }));
    addSeries(after, refused({ overload: 8, queue_timeout: 3, malformed: 9, draining: 5 }));
    assert.equal(ratesBetween(after, before, 2).shedPerSecond, 4);
    assert.equal(ratesBetween(before, after, 2).shedPerSecond, 0);
  });

  test("never fall below zero", () => {
    const after = noCounts();
    addSeries(after, tableOf(["200", "", [10]]));
    assert.equal(ratesBetween(noCounts(), after, 1).requestsPerSecond, 0);
  });

  test("have percentiles that lie within their bucket", () => {
    assert.equal(percentile([0, 0, 0, 0], [1, 2, 3], 0.5), null);
    assert.equal(percentile([0, 4, 0, 0], [1, 2, 3], 0.5), 1500);
    assert.equal(percentile([1, 0, 0, 1], [1, 2, 3], 0.99), 3000, "above all bounds");
    assert.equal(percentile([10, 0, 0, 0], [1, 2, 3], 1), 1000);
  });
});
