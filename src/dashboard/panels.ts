/** The panels of charts, in the order that `tsgun top` and the Grafana dashboard have too. Data in, data out. */
import type { EventReport, HistoryReport, StatsReport } from "../control/stats.ts";
import {
  type Chart,
  type Colour,
  describe,
  describeHeat,
  type HeatMap,
  inBins,
  type Line,
  type Panel,
  stack,
  type Values,
} from "./chart-model.ts";
import { plural, type Unit } from "./format.ts";
import { KEPT_MS } from "./history.ts";
import { slotLines } from "./slot-lines.ts";

export interface PanelInput {
  readonly history: HistoryReport;
  readonly stats: Pick<StatsReport, "memoryLimitBytes">;
  readonly events: readonly EventReport[];
}

const CLASS_COLOURS: Readonly<Record<string, Colour>> = {
  "1xx": "sky",
  "2xx": "blue",
  "3xx": "green",
  "4xx": "orange",
  "5xx": "red",
};

/** The bars of rare things stand for this many milliseconds. */
const BIN_MS = 10_000;

const BAR_COLOURS: readonly Colour[] = ["orange", "purple", "green", "yellow", "sky", "grey"];
/** Ends that nobody has asked for. */
const BAD_ENDS: readonly string[] = ["crash", "heap_oom", "killed", "stuck", "boot_failed"];

export function panels(input: PanelInput): Panel[] {
  const { history } = input;
  const time = history.time.map((at) => at / 1000);
  const chart = (label: string, lines: readonly Line[], rest: Partial<Chart> = {}): Chart => ({
    label,
    time,
    lines,
    ...rest,
  });
  const line = (label: string, values: Values, colour: Colour, unit: Unit, rest?: Partial<Line>): Line => ({
    label,
    values,
    colour,
    unit,
    ...rest,
  });
  const single = (id: string, title: string, lines: readonly Line[], rest: Partial<Chart> = {}): Panel => ({
    id,
    title,
    charts: [chart(title, lines, rest)],
    summary: describe(lines),
  });
  const bySlot = (
    id: string,
    title: string,
    unit: Unit,
    pick: (slot: HistoryReport["slots"][number]) => Values,
    rest: Partial<Chart> = {},
  ): Panel => single(id, title, slotLines(history.slots, pick, unit), rest);

  const heat: HeatMap = {
    bounds: history.durations.bounds.map((seconds) => seconds * 1000),
    counts: history.durations.counts,
  };
  const latency = [
    line("p50", history.p50, "blue", "duration"),
    line("p90", history.p90, "orange", "duration", { dash: [6, 3] }),
    line("p99", history.p99, "red", "duration", { dash: [2, 3] }),
  ];
  const queue = [
    line("queue p99", history.queueP99, "blue", "duration"),
    line("backlog", history.backlog, "orange", "count", { isRight: true, dash: [6, 3] }),
  ];
  return [
    single("requests", "Requests per second", stack(classLines(history))),
    single(
      "errors",
      "Error ratio",
      [line("errors", history.errorRatio, "red", "percent", { shape: "area" })],
      { atLeast: 0.01 },
    ),
    single("latency", "Latency", latency),
    {
      id: "durations",
      title: "Requests by duration",
      charts: [chart("Requests by duration", [], { heat })],
      summary: describeHeat(heat),
    },
    single("queue", "Queue time and backlog", queue),
    single("in-flight", "In flight and connections", [
      line("in flight", history.inFlight, "blue", "count"),
      line("connections", history.connections, "orange", "count", { dash: [6, 3] }),
    ]),
    bySlot("loop-use", "Event loop use by slot", "percent", (slot) => slot.loopUtilization, { atLeast: 1 }),
    bySlot("loop-delay", "Event loop delay p99 by slot", "duration", (slot) => slot.loopDelayP99),
    memoryPanel(input, bySlot),
    bySlot("cpu", "CPU by slot", "percent", (slot) => slot.cpu, { atLeast: 1 }),
    bySlot("gc", "Time in garbage collection by slot", "percent", (slot) => slot.gcShare, { atLeast: 0.1 }),
    turnover(history),
    rejected(history),
    durationsOfEvents(input.events, (history.time.at(-1) ?? 0) - KEPT_MS),
  ];
}

function classLines(history: HistoryReport): Line[] {
  const names = [...new Set(["2xx", "3xx", "4xx", "5xx", ...Object.keys(history.byClass)])].sort().reverse();
  const present = names.filter(
    (name) => name === "2xx" || name === "5xx" || history.byClass[name]?.some((value) => value > 0),
  );
  return present.map((name) => ({
    // A client went, or a worker died, before there was a status.
    label: name === "none" ? "no response" : name,
    values: history.byClass[name] ?? history.time.map(() => 0),
    colour: CLASS_COLOURS[name] ?? "grey",
    unit: "rate",
  }));
}

/** The group's limit is drawn where the memory comes near it: elsewhere it would only flatten the lines. */
function memoryPanel(
  { history, stats }: PanelInput,
  bySlot: (
    id: string,
    title: string,
    unit: Unit,
    pick: (slot: HistoryReport["slots"][number]) => Values,
  ) => Panel,
): Panel {
  const panel = bySlot("memory", "Memory (PSS) by slot", "bytes", (slot) => slot.pssBytes);
  const limit = stats.memoryLimitBytes;
  const [chart] = panel.charts;
  if (limit === null || chart === undefined) return panel;
  const sums = history.time.map((_, index) =>
    history.slots.reduce((sum, { pssBytes }) => sum + (pssBytes[index] ?? 0), 0),
  );
  const all: Line = { label: "all", values: sums, colour: "grey", unit: "bytes", dash: [1, 2] };
  const bound: Line = {
    label: "limit",
    values: history.time.map(() => limit),
    colour: "red",
    unit: "bytes",
    dash: [8, 4],
  };
  const isNear = sums.some((sum) => sum > limit / 2);
  const lines = [...chart.lines, ...(isNear ? [all, bound] : [])];
  const summary = `${describe(chart.lines)}; all now ${describe([all]).replace(/^all now /, "")}; limit ${describe([bound]).replace(/^limit now ([^,]*),.*$/, "$1")}`;
  return { ...panel, charts: [{ ...chart, lines }], summary };
}

/** Starts upwards, exits downwards. */
function turnover(history: HistoryReport): Panel {
  const bins = inBins(history.time, BIN_MS);
  const starts: Line = {
    label: "starts",
    values: bins.sums(history.starts),
    colour: "blue",
    unit: "count",
    shape: "bars",
  };
  const names = Object.keys(history.exits).filter((name) => history.exits[name]?.some((value) => value > 0));
  const exits = names.map(
    (name, index): Line => ({
      label: name.replaceAll("_", " "),
      values: bins.sums(history.exits[name] ?? []),
      colour: BAD_ENDS.includes(name) ? "red" : (BAR_COLOURS[index % BAR_COLOURS.length] as Colour),
      unit: "count",
      shape: "bars",
    }),
  );
  const down = stack(exits).map((line) => ({ ...line, values: line.values.map((value) => -(value ?? 0)) }));
  return {
    id: "turnover",
    title: "Worker starts and exits",
    charts: [
      {
        label: "Starts (up) and exits (down) in 10 s",
        time: bins.time,
        lines: [starts, ...down],
        atLeast: 1,
      },
    ],
    summary: totals([starts, ...exits]),
    ...(total(starts) + exits.reduce((sum, line) => sum + total(line), 0) === 0 && {
      emptyText: "No worker has started or ended in the last 10 minutes.",
    }),
  };
}

function rejected(history: HistoryReport): Panel {
  const bins = inBins(history.time, BIN_MS);
  const names = Object.keys(history.rejected).filter((name) =>
    history.rejected[name]?.some((value) => value > 0),
  );
  const lines = names.map(
    (name, index): Line => ({
      label: name.replaceAll("_", " "),
      values: bins.sums(history.rejected[name] ?? []),
      colour: BAR_COLOURS[index % BAR_COLOURS.length] as Colour,
      unit: "count",
      shape: "bars",
    }),
  );
  return {
    id: "rejected",
    title: "Rejected requests",
    charts: [{ label: "Rejected in 10 s, by reason", time: bins.time, lines: stack(lines), atLeast: 1 }],
    summary: lines.length === 0 ? "None rejected." : totals(lines),
    ...(lines.length === 0 && { emptyText: "No request was rejected in the last 10 minutes." }),
  };
}

/** @param since milliseconds since the epoch */
function durationsOfEvents(events: readonly EventReport[], since: number): Panel {
  const timed = events.filter(({ duration, time }) => duration !== undefined && Date.parse(time) > since);
  const time = timed.map((event) => Date.parse(event.time) / 1000);
  const pick = (label: string, isWanted: (event: EventReport) => boolean, colour: Colour): Line => ({
    label,
    values: timed.map((event) => (isWanted(event) ? (event.duration ?? null) : null)),
    colour,
    unit: "duration",
    shape: "points",
  });
  const lines = [
    pick("boot", ({ type }) => type === "worker-ready", "blue"),
    pick("reload", ({ type }) => type === "reloaded", "orange"),
    pick("failed reload", ({ type }) => type === "reload-failed", "red"),
  ].filter((line, index) => index < 2 || line.values.some((value) => value !== null));
  return {
    id: "boots",
    title: "Boot and reload time",
    charts: [{ label: "Boot and reload time", time, lines }],
    summary: describe(lines).replaceAll(" now ", " last "),
    ...(timed.length === 0 && {
      emptyText: "No worker has booted and nothing was reloaded in the last 10 minutes.",
    }),
  };
}

function total({ values }: Line): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function totals(lines: readonly Line[]): string {
  return `In the last 10 minutes: ${lines.map((line) => `${plural(total(line), line.label).replace(/ss$/, "s")}`).join("; ")}`;
}
