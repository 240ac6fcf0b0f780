import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chart, describeHeat, inBins, type Line, stack } from "../../src/dashboard/chart-model.ts";
import { columns, intensity } from "../../src/dashboard/heat-columns.ts";
import { marks } from "../../src/dashboard/marks.ts";
import { type PanelInput, panels } from "../../src/dashboard/panels.ts";
import { MAX_LINES, slotLines } from "../../src/dashboard/slot-lines.ts";
import { eventReports, historyReport, statsReport, TIME } from "../support/dashboard-data.ts";

const input: PanelInput = { history: historyReport(), stats: statsReport(), events: eventReports() };

function panel(id: string, from = input): { chart: Chart; summary: string; emptyText: string | undefined } {
  const found = panels(from).find((each) => each.id === id);
  assert.ok(found?.charts[0] !== undefined, id);
  return { chart: found.charts[0], summary: found.summary, emptyText: found.emptyText };
}

test("the panels are in the order that all views of a server share", () => {
  assert.deepEqual(
    panels(input).map(({ id }) => id),
    [
      ...[
        "requests",
        "errors",
        "latency",
        "durations",
        "queue",
        "in-flight",
        "loop-use",
        "loop-delay",
        "memory",
      ],
      ...["cpu", "gc", "turnover", "rejected", "boots"],
    ],
  );
});

test("every line is as long as its times, and every panel has a summary in words", () => {
  for (const { id, charts, summary } of panels(input)) {
    assert.match(summary, /\w+ .*\d|none/i, id);
    for (const { time, lines } of charts)
      for (const line of lines) assert.equal(line.values.length, time.length, `${id} ${line.label}`);
  }
});

test("a server that has just started, with nothing to show yet, is no fault", () => {
  const empty = { history: historyReport(TIME, 0, 0), stats: { memoryLimitBytes: null }, events: [] };
  for (const { id, charts, summary } of panels(empty)) {
    assert.ok(summary.length > 0, id);
    assert.ok(
      charts.every(({ lines }) => lines.every(({ values }) => values.length === 0)),
      id,
    );
  }
});

test("classes are stacked: the topmost line is their sum, and the legend has each value itself", () => {
  const { chart } = panel("requests");
  const { history } = input;
  assert.deepEqual(
    chart.lines.map(({ label }) => label),
    ["5xx", "4xx", "3xx", "2xx"],
  );
  const sum = Object.values(history.byClass).reduce((all, values) => all + (values[100] ?? 0), 0);
  assert.equal(chart.lines[0]?.values[100], sum);
  assert.equal(chart.lines[0]?.shown?.[100], history.byClass["5xx"]?.[100]);
  assert.equal(chart.lines[3]?.values[100], history.byClass["2xx"]?.[100]);
});

test("a stack of a missing value goes on above it", () => {
  const line = (values: (number | null)[]): Line => ({ label: "", values, colour: "blue", unit: "count" });
  assert.deepEqual(
    stack([line([1, 2]), line([null, 5])]).map(({ values }) => values),
    [
      [1, 7],
      [0, 5],
    ],
  );
});

test("starts go up and exits down, and nothing of them is lost in the bars", () => {
  const { chart, summary } = panel("turnover");
  const [starts, ...exits] = chart.lines;
  assert.equal(
    starts?.values.reduce<number>((sum, value) => sum + (value ?? 0), 0),
    5,
  );
  assert.deepEqual(
    exits.map(({ label }) => label),
    ["reload", "crash"],
  );
  assert.ok(exits.every(({ values }) => values.every((value) => (value ?? 0) <= 0)));
  assert.match(summary, /5 starts; 4 reloads; 1 crash$/);
  assert.equal(exits.find(({ label }) => label === "crash")?.colour, "red");
});

test("bars stay where they are while time goes on", () => {
  const bars = (time: number, points: number): Map<number, number | null> => {
    const { chart } = panel("turnover", { ...input, history: historyReport(time, points) });
    return new Map(chart.time.map((at, index) => [at, chart.lines[0]?.values[index] ?? null]));
  };
  const now = [...bars(TIME, 600).keys()];
  for (const later of [1000, 3000, 9000]) {
    const shared = [...bars(TIME + later, 600).keys()].filter((at) => now.includes(at));
    assert.ok(shared.length >= 59, `${later}: ${shared.length}`);
  }
});

test("points that come early or late are in the bar of their time", () => {
  const bins = inBins([9_990, 10_010, 19_999, 40_000], 10_000);
  assert.deepEqual(bins.time, [5, 15, 25, 35, 45]);
  assert.deepEqual(bins.sums([1, 2, 3, 4]), [1, 5, 0, 0, 4]);
  assert.deepEqual(inBins([], 10_000).time, []);
});

test("memory shows the control group's limit where it comes near", () => {
  const near = panel("memory", { ...input, stats: { memoryLimitBytes: 300e6 } });
  assert.deepEqual(near.chart.lines.map(({ label }) => label).slice(-2), ["all", "limit"]);
  const far = panel("memory", { ...input, stats: { memoryLimitBytes: 64e9 } });
  assert.ok(far.chart.lines.every(({ label }) => label.startsWith("slot ")));
  assert.match(far.summary, /; limit 60 GB$/);
});

test("panels of rare things say that there was nothing", () => {
  const calm = historyReport(TIME, 600);
  const none = calm.time.map(() => 0);
  const quiet = { ...calm, starts: none, exits: { crash: none }, rejected: {} };
  const texts = ["turnover", "rejected", "boots"].map(
    (id) => panel(id, { ...input, history: quiet, events: [] }).emptyText,
  );
  assert.ok(texts.every((text) => text !== undefined));
  assert.equal(panel("turnover").emptyText, undefined);
});

test("boots and reloads are points at their time, with their duration", () => {
  const { chart, summary } = panel("boots");
  assert.deepEqual(
    chart.lines.map(({ label }) => label),
    ["boot", "reload"],
  );
  assert.deepEqual(
    chart.lines[0]?.values.filter((value) => value !== null),
    [412, 455],
  );
  assert.deepEqual(
    chart.lines[1]?.values.filter((value) => value !== null),
    [1840],
  );
  assert.match(summary, /^boot last .*, at most 455 ms; reload last 1.8 s, at most 1.8 s$/);
});

test("lines of slots differ in more than their colour, and a tangle becomes three lines", () => {
  const few = slotLines(historyReport(TIME, 3, MAX_LINES).slots, ({ cpu }) => cpu, "percent");
  assert.equal(few.length, MAX_LINES);
  assert.equal(new Set(few.map(({ colour, dash }) => `${colour} ${dash}`)).size, MAX_LINES);
  for (const [index, { dash }] of few.slice(1).entries()) assert.notDeepEqual(dash, few[index]?.dash);
  const slots = historyReport(TIME, 3, 17).slots.map((slot, index) => ({
    ...slot,
    cpu: [index, null, null],
  }));
  const many = slotLines(slots, ({ cpu }) => cpu, "percent");
  assert.deepEqual(
    many.map(({ label, values }) => [label, values[0], values[1]]),
    [
      ["highest", 16, null],
      ["median of 17", 8, null],
      ["lowest", 0, null],
    ],
  );
});

test("deploys and deaths are marked, and workers that were told to end are not", () => {
  assert.deepEqual(
    marks(eventReports()).map(({ kind, time }) => [kind, TIME / 1000 - time]),
    [
      ["crash", 299],
      ["reload", 120],
      ["upgrade", 480],
    ],
  );
});

test("a single slow request among thousands can be seen in the heat map", () => {
  assert.deepEqual(columns([9, 10, 19, 20], [[1, 0], [2], [3, 1], [4, 0]], 10), [
    { begin: 0, counts: [1, 0] },
    { begin: 10, counts: [5, 1] },
    { begin: 20, counts: [4, 0] },
  ]);
  assert.ok(intensity(1, 100_000) > 0.15);
  assert.equal(intensity(100_000, 100_000), 1);
});

test("the heat map in words", () => {
  const bounds = [5, 10];
  assert.equal(
    describeHeat({ bounds, counts: [[90, 9, 1]] }),
    "100 requests in the last 10 minutes: 95 % at most 10 ms, 1 longer than 10 ms.",
  );
  assert.equal(
    describeHeat({ bounds, counts: [[90, 0, 0], [9]] }),
    "99 requests in the last 10 minutes: 95 % at most 5 ms, all at most 5 ms.",
  );
  assert.equal(describeHeat({ bounds, counts: [] }), "No request has ended in the last 10 minutes.");
});
