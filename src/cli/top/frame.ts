/** The screen of `tsgun top` as lines, from its state: the fact first. */

import { age, bytes, percent } from "../figures.ts";
import { columnsFor, exitText, isAscending, sorted, stateOf } from "./columns.ts";
import { renderHeader, totalsText } from "./header.ts";
import { renderPanel } from "./panel-view.ts";
import { selectedIndex, selectedWorker } from "./selection.ts";
import { renderServers } from "./server-list.ts";
import type { TopState, WatchedServer } from "./state.ts";
import { cutLine, type Line, lineWidth, span } from "./style.ts";
import { outOfSight, renderTable, visiblePart } from "./table.ts";
import { cut, printable } from "./text.ts";

/** With fewer rows than this for the table, what surrounds it gives way. */
const LEAST_BODY = 4;

/** Renders the whole screen: exactly as many lines as it has rows, none wider than it. */
export function renderFrame(state: TopState): Line[] {
  const { columns, rows } = state.size;
  const above = state.server === undefined ? listHeader(state) : serverHeader(state, state.server);
  const [detail, ...below] = [detailLine(state), statusLine(state), keysLine(state)];
  const room = rows - above.length - below.length;
  const isTight = room - 1 < LEAST_BODY;
  const height = Math.max(0, isTight ? room : room - 1);
  const body = renderBody(state, height).slice(0, height);
  while (body.length < height) body.push([]);
  const lines = [...above, ...body, ...(isTight ? [] : [detail as Line]), ...below];
  // Where not even these fit, the first ones are worth the most.
  return lines.slice(0, rows).map((line) => cutLine(line, columns));
}

/** Renders everything once, without a selection and without keys, as high as it comes. */
export function renderOnce(state: TopState): Line[] {
  const { columns } = state.size;
  const { server } = state;
  const lines = server === undefined ? renderServers(state, columns) : wholeServer(state, server);
  return lines.map((line) => cutLine(line, columns));
}

function wholeServer(state: TopState, server: WatchedServer): Line[] {
  const { stats } = server;
  if (stats === undefined) return serverHeader(state, server);
  const table = renderTable({
    columns: columnsFor(state.size.columns, stats),
    rows: sorted(stats.workers, "slot"),
    width: state.size.columns,
    now: state.now,
  });
  return [...serverHeader(state, server), table.heading, ...table.rows, [], [span(totalsText(stats))]];
}

function listHeader({ list: { servers } }: TopState): Line[] {
  const count = servers?.length ?? 0;
  return [[span(`${count} server${count === 1 ? "" : "s"} of this user`, "strong")], []];
}

/** The facts, and a line that is empty unless something is wrong with them. */
function serverHeader({ now, size, interval }: TopState, server: WatchedServer): Line[] {
  const { stats, name, pid, folder } = server;
  const described = `${printable(name)} (pid ${pid}, ${printable(folder)})`;
  const header =
    stats === undefined
      ? [[span(described, "strong")]]
      : renderHeader(stats, server.rates, size.columns, clockOf(server, now));
  return [...header, problemLine(server, now, interval)];
}

/** The time on the server's clock, as far as ages need it: they stop while it does not answer. */
function clockOf({ answeredAt, problem }: WatchedServer, now: number): number {
  return problem === undefined ? now : answeredAt;
}

function problemLine({ answeredAt, problem, stats }: WatchedServer, now: number, interval: number): Line {
  const silence = now - answeredAt;
  if (problem !== undefined) {
    const since = silence >= 1000 ? ` for ${age(silence)}` : "";
    return [span(printable(problem.replace(/^no answer/, `no answer${since}`)), "bad")];
  }
  if (silence > Math.max(2500, 2.5 * interval)) {
    return [
      span(`no answer for ${age(silence)}: the server may be stopped (SIGSTOP) or starved of CPU`, "bad"),
    ];
  }
  return stats === undefined ? [span("asking the server …", "faint")] : [];
}

function renderBody(state: TopState, height: number): Line[] {
  const { server, panel, size, now } = state;
  if (panel !== undefined) return renderPanel(panel, size.columns, height);
  if (server === undefined) return renderServers(state, size.columns, height);
  const { stats } = server;
  if (stats === undefined) return [];
  if (stats.workers.length === 0) return [[span("no workers", "warning")]];
  const workers = sorted(stats.workers, server.sort);
  const selected = selectedIndex(server, workers);
  const { heading, rows } = renderTable({
    columns: columnsFor(size.columns, stats),
    rows: workers,
    width: size.columns,
    now: clockOf(server, now),
    selected,
    sort: { id: server.sort, isAscending: isAscending(server.sort) },
  });
  const shown = rows.length + 1 <= height ? rows.length : height - 2;
  const part = visiblePart(rows.length, Math.max(1, shown), selected);
  const rest = outOfSight(rows.length, part);
  const lines = [heading, ...rows.slice(part.from, part.to)];
  return rest === "" ? lines : [...lines, [span(rest, "faint")]];
}

/** The facts about the selected worker for which the table has no room. */
function detailLine(state: TopState): Line {
  const worker = selectedWorker(state);
  if (worker === undefined || state.panel !== undefined) return [];
  const facts = [
    `worker ${worker.pid} ${stateOf(worker)}`,
    ...(worker.notReady === null ? [] : [`its app is not ready: ${worker.notReady}`]),
    ...(worker.address === null ? [] : [worker.address]),
    ...(worker.heapUsedBytes === null
      ? []
      : [`heap ${bytes(worker.heapUsedBytes)} of ${bytes(worker.heapLimitBytes)}`]),
    ...(worker.gcShare === null ? [] : [`gc ${percent(worker.gcShare)}`]),
    ...(worker.openDescriptors === null ? [] : [`${worker.openDescriptors} descriptors`]),
    ...(worker.lastExit === null ? [] : [`before it: ${worker.lastExit.pid} ${exitText(worker, state.now)}`]),
  ];
  return [span(printable(facts.join("  ")), "faint")];
}

function statusLine({ question, running, notice, now, size }: TopState): Line {
  if (question !== undefined)
    return [span(printable(`${question.text}  y: yes, any other key: no`), "warning")];
  const last = running.at(-1);
  const progress =
    last === undefined
      ? ""
      : `${last.command.doing} … ${age(now - last.since)}${running.length > 1 ? ` (and ${running.length - 1} more)` : ""}`;
  if (notice === undefined) return [span(printable(progress))];
  const text = cut(printable(notice.text), size.columns);
  return progress === ""
    ? [span(text, notice.style)]
    : [span(printable(progress)), span("  "), span(text, notice.style)];
}

const TABLE_KEYS: readonly [key: string, meaning: string][] = [
  ["+ -", "scale"],
  ["R", "reload"],
  ["r", "restart"],
  ["i", "requests"],
  ["s", "stack"],
  ["p", "profile"],
  ["l", "log"],
  ["w", "why"],
  ["< >", "sort"],
  ["?", "help"],
  ["q", "quit"],
];
const PANEL_KEYS: readonly [string, string][] = [
  ["↑ ↓", "scroll"],
  ["Esc", "back"],
];
const LIST_KEYS: readonly [string, string][] = [
  ["↑ ↓", "choose"],
  ["Enter", "watch"],
  ["?", "help"],
  ["q", "quit"],
];

/** The keys that mean something now. Where their meanings do not fit, the keys alone, and how to learn them. */
function keysLine({ panel, server, size }: TopState): Line {
  const keys = panel !== undefined ? PANEL_KEYS : server === undefined ? LIST_KEYS : TABLE_KEYS;
  const withoutSort = keys.filter(([, meaning]) => meaning !== "sort");
  const whole = [keys, withoutSort].map(joinedKeys).find((line) => lineWidth(line) <= size.columns);
  if (whole !== undefined) return whole;
  const rest = keys.slice(-2);
  const bare = keys.slice(0, -2).map(([key]) => [span(`${key}  `, "strong")]);
  return [...bare.flat(), ...joinedKeys(rest)];
}

function joinedKeys(keys: readonly [key: string, meaning: string][]): Line {
  return keys.flatMap(([key, meaning], index) => [
    span(`${index === 0 ? "" : "  "}${key}`, "strong"),
    span(` ${meaning}`, "faint"),
  ]);
}
