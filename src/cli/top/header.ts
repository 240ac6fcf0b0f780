/** The lines above the table: the server in figures. */
import type { ListenerReport, StatsReport } from "../../control/stats.ts";
import { age, count, rate, ratio, spacedDuration, sparkline, UNKNOWN } from "../figures.ts";
import { type Line, lineWidth, type Span, type Style, span } from "./style.ts";
import { cut, printable, widthOf } from "./text.ts";

/** One fact: it is never divided between two lines. */
interface Item {
  readonly line: Line;
  /** The most that it takes; facts change their length, and must not move others to another line. */
  readonly room: number;
}

const MAX_NAME = 32;
const GAP = "  ";
const BARS = 12;
/** Shares of requests and of a backlog from which on something is wrong. */
const MANY_ERRORS = 0.01;
const FULL_BACKLOG = 0.5;

/** Renders the facts in as few lines as they fit into, at most one for each group. */
export function renderHeader(
  stats: StatsReport,
  rates: readonly number[],
  width: number,
  now: number,
): Line[] {
  const groups = [identity(stats, width, now), traffic(stats, rates), surroundings(stats, now)];
  const lines: Item[][] = [];
  for (const group of groups) {
    const last = lines.at(-1);
    if (last !== undefined && roomOf([...last, ...group]) <= width) last.push(...group);
    else lines.push([...group]);
  }
  return lines.flatMap((line) => broken(line, width)).map(joined);
}

/** Breaks a line that is too wide between two facts. */
function broken(items: readonly Item[], width: number): Item[][] {
  const lines: Item[][] = [[]];
  for (const each of items) {
    const last = lines.at(-1) as Item[];
    const taken = last.reduce((sum, { line }) => sum + lineWidth(line) + GAP.length, 0);
    if (last.length > 0 && taken + lineWidth(each.line) > width) lines.push([each]);
    else last.push(each);
  }
  return lines;
}

function roomOf(items: readonly Item[]): number {
  return items.reduce((sum, { room }) => sum + room, GAP.length * (items.length - 1));
}

function joined(items: readonly Item[]): Line {
  return items.flatMap(({ line }, index) => (index === 0 ? line : [span(GAP), ...line]));
}

function item(spans: Line, room = 0): Item {
  return { line: spans, room: Math.max(room, lineWidth(spans)) };
}

/** A label and a value: the value counts. */
function fact(label: string, value: string, style: Style = "plain", room = 0): Item {
  const parts: Span[] = [span(`${label} `, "faint"), span(value, style)];
  return item(parts, room === 0 ? 0 : widthOf(label) + 1 + room);
}

function identity(stats: StatsReport, width: number, now: number): Item[] {
  const { name, state, generation, generationStartedAt, workers, ready, reason } = stats.server;
  const items = [item([span(cut(printable(name), Math.min(MAX_NAME, Math.ceil(width / 3))), "strong")])];
  if (state !== "serving") items.push(item([span(printable(state), state === "down" ? "bad" : "warning")]));
  // None serves yet, or a server of an earlier version does not say.
  const since = generationStartedAt === null ? "" : ` (${age(now - Date.parse(generationStartedAt))})`;
  items.push(item([span("gen ", "faint"), span(`${generation}${since}`)]));
  const style = workers.ready >= workers.target ? "good" : workers.ready === 0 ? "bad" : "warning";
  items.push(item([span(`${workers.ready}/${workers.target} ready`, style)]));
  if (state === "serving" && !ready) items.push(item([span(`not ready: ${printable(reason)}`, "bad")]));
  return items;
}

function traffic({ rates, waiting, isCounting }: StatsReport, points: readonly number[]): Item[] {
  if (!isCounting) return [item([span("requests are not counted (--no-metrics)", "warning")])];
  const style = rates.errorRatio >= MANY_ERRORS ? "bad" : "plain";
  return [
    item(
      [
        span(rate(rates.requestsPerSecond), "strong"),
        span(" req/s ", "faint"),
        span(sparkline(points, BARS), "good"),
      ],
      "99,999 req/s ".length + BARS,
    ),
    fact("p50", spacedDuration(rates.p50), "plain", 6),
    fact("p99", spacedDuration(rates.p99), "plain", 6),
    fact("5xx", ratio(rates.errorRatio).replace("%", " %"), style, 6),
    ...(waiting > 0 ? [fact("waiting", count(waiting), "warning", 5)] : []),
    ...(rates.shedPerSecond > 0 ? [fact("shed", `${rate(rates.shedPerSecond)}/s`, "bad", 8)] : []),
  ];
}

function surroundings({ queueP99, listeners, lastReload }: StatsReport, now: number): Item[] {
  const fullest = fullestOf(listeners);
  const [waiting, limit] = [fullest?.backlog ?? null, fullest?.backlogLimit ?? null];
  const isFull = waiting !== null && limit !== null && waiting >= limit * FULL_BACKLOG;
  const shown = waiting === null ? UNKNOWN : limit === null ? String(waiting) : `${waiting}/${limit}`;
  return [
    fact("queue p99", spacedDuration(queueP99), "plain", 6),
    fact("backlog", shown, isFull ? "bad" : "plain", 6),
    reloadItem(lastReload, now),
  ];
}

function reloadItem(last: StatsReport["lastReload"], now: number): Item {
  if (last === null) return item([span("no reload yet", "faint")], "last reload ok 99m ago".length);
  const ago = ` ${age(now - Date.parse(last.at))} ago`;
  return item([
    span("last reload ", "faint"),
    span(last.ok ? "ok" : "failed", last.ok ? "good" : "bad"),
    span(ago),
  ]);
}

/** The listener whose queue is nearest to its limit. */
function fullestOf(listeners: readonly ListenerReport[]): ListenerReport | undefined {
  const share = ({ backlog, backlogLimit }: ListenerReport): number => (backlog ?? -1) / (backlogLimit ?? 1);
  return [...listeners].sort((a, b) => share(b) - share(a))[0];
}

/** The sums of all workers, for the line below the table. */
export function totalsText(stats: StatsReport): string {
  const { inFlight, waiting, inFlightLimit, connections, totals, isCounting } = stats;
  if (!isCounting) return "";
  const { active, idle, upgraded } = connections;
  const queue = inFlightLimit === null ? "" : ` (${count(waiting)} waiting)`;
  return `${count(inFlight)} in flight${queue}  ${count(active + idle + upgraded)} connections  ${count(totals.requests)} requests since the start`;
}
