/** The figures at the top: what an operator looks at first. */
import type { StatsReport } from "../control/stats.ts";
import { byId, element, keepChildren, setText } from "./dom.ts";
import { age, count, duration, percent, rate } from "./format.ts";

interface Tile {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: "good" | "bad" | "warn";
}

/** @param now milliseconds since the epoch */
export function tiles(stats: StatsReport, now: number): Tile[] {
  const { server, lastReload, workerStates } = stats;
  const { target, ready } = server.workers;
  const backlogs = stats.listeners.filter(({ backlog }) => backlog !== null);
  const fullest = backlogs.toSorted((a, b) => share(b) - share(a))[0];
  const others = (["booting", "draining", "stuck"] as const)
    .filter((state) => workerStates[state] > 0)
    .map((state) => `${workerStates[state]} ${state}`);
  return [
    {
      label: "Workers ready",
      value: `${ready} / ${target}`,
      ...(others.length > 0 && { note: others.join(", ") }),
      tone: ready >= target && server.ready ? "good" : ready === 0 ? "bad" : "warn",
    },
    { label: "Generation", value: count(server.generation), note: `up ${age(server.uptime)}` },
    lastReload === null
      ? { label: "Last reload", value: "none" }
      : {
          label: "Last reload",
          value: lastReload.ok ? "ok" : "failed",
          note: `${age(Math.max(0, now - Date.parse(lastReload.at)))} ago, took ${duration(lastReload.duration)}`,
          tone: lastReload.ok ? "good" : "bad",
        },
    ...(stats.isCounting ? countedTiles(stats) : [{ label: "Requests", value: "–", note: "not counted" }]),
    fullest === undefined
      ? { label: "Backlog", value: "–" }
      : {
          label: "Backlog",
          value: count(fullest.backlog ?? 0),
          ...(fullest.backlogLimit !== null && { note: `of ${count(fullest.backlogLimit)}` }),
          ...(share(fullest) > 0.5 && { tone: "bad" as const }),
        },
  ];
}

/** Tiles of figures that workers count; not with `--no-metrics`. */
function countedTiles(stats: StatsReport): Tile[] {
  const { rates } = stats;
  return [
    { label: "Requests/s", value: rate(rates.requestsPerSecond) },
    {
      label: "Errors",
      value: percent(rates.errorRatio),
      ...(rates.errorRatio > 0.01 && { tone: "bad" as const }),
    },
    { label: "Latency p50", value: duration(rates.p50) },
    { label: "Latency p99", value: duration(rates.p99) },
    { label: "Queue p99", value: duration(stats.queueP99) },
    {
      label: "In flight",
      value: count(stats.inFlight),
      note: inFlightNote(stats),
      ...(rates.shedPerSecond > 0 && { tone: "bad" as const }),
    },
  ];
}

function inFlightNote({ rates, connections, inFlightLimit, waiting }: StatsReport): string {
  if (rates.shedPerSecond > 0) return `${rate(rates.shedPerSecond)}/s shed, ${count(waiting)} waiting`;
  if (inFlightLimit !== null) return `${count(waiting)} waiting`;
  return `${count(connections.active + connections.idle + connections.upgraded)} connections`;
}

function share({ backlog, backlogLimit }: StatsReport["listeners"][number]): number {
  return (backlog ?? 0) / (backlogLimit ?? Number.POSITIVE_INFINITY);
}

export function showStrip(stats: StatsReport, now: number): void {
  keepChildren(
    byId("strip"),
    tiles(stats, now),
    ({ label }) => label,
    ({ label }) =>
      element(
        "div",
        { class: "tile" },
        element("dt", {}, label),
        element("dd", {}),
        element("dd", { class: "note" }),
      ),
    (child, { value, note = "", tone }) => {
      child.dataset.tone = tone ?? "plain";
      const [, figure, remark] = child.children;
      if (figure !== undefined) setText(figure, value);
      if (remark !== undefined) setText(remark, note);
    },
  );
}
