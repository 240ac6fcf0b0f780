/** The list of servers: one row each, as `tsgun ps` has it, with figures. */
import { age, duration, rate, UNKNOWN } from "../figures.ts";
import type { ListedServer, TopState } from "./state.ts";
import { type Line, type Style, span } from "./style.ts";
import { type Column, outOfSight, renderTable, visiblePart } from "./table.ts";
import { cutStart, printable } from "./text.ts";

const MAX_NAME = 30;
const GOOD_STATES: ReadonlySet<string> = new Set(["serving"]);
const BAD_STATES: ReadonlySet<string> = new Set(["down", "no answer"]);

function styleOf({ state }: ListedServer): Style {
  return GOOD_STATES.has(state) ? "good" : BAD_STATES.has(state) ? "bad" : "warning";
}

/** A name may be a path. Its end tells more than its beginning. */
function short(text: string): string {
  return text === "" ? UNKNOWN : cutStart(printable(text), MAX_NAME);
}

function column(
  heading: string,
  width: number,
  from: number,
  align: "left" | "right",
  text: Column<ListedServer>["text"],
  style?: Column<ListedServer>["style"],
): Column<ListedServer> {
  return { id: heading, heading, width, from, align, text, ...(style !== undefined && { style }) };
}

const COLUMNS: readonly Column<ListedServer>[] = [
  column("PID", 6, 0, "right", ({ pid }) => String(pid)),
  column("NAME", 8, 0, "left", ({ name }) => short(name)),
  column("STATE", 9, 0, "left", ({ state }) => state, styleOf),
  column("GEN", 3, 80, "right", ({ generation }) => (generation === null ? UNKNOWN : String(generation))),
  column("WORKERS", 7, 0, "right", ({ workers }) =>
    workers === null ? UNKNOWN : `${workers.ready}/${workers.target}`,
  ),
  column("AGE", 5, 80, "right", ({ uptime }) => (uptime === null ? UNKNOWN : age(uptime))),
  column("REQ/S", 6, 0, "right", ({ requestsPerSecond }) => rate(requestsPerSecond)),
  column("P99", 5, 0, "right", ({ p99 }) => duration(p99)),
  column("APP", 6, 120, "left", ({ app }) => short(app)),
  column("ADDRESSES", 9, 140, "left", ({ addresses }) => short(addresses)),
  column("FOLDER", 6, 70, "left", ({ folder }) => (folder === "" ? UNKNOWN : folder)),
];

/** Renders the list in `height` rows; all of them without a height. */
export function renderServers(
  { list: { servers, selected }, now }: TopState,
  width: number,
  height?: number,
): Line[] {
  if (servers === undefined) return [[span("looking for the servers of this user …", "faint")]];
  if (servers.length === 0) return [[span("no server of this user is running", "warning")]];
  const at = Math.max(
    0,
    servers.findIndex(({ pid }) => pid === selected),
  );
  const columns = COLUMNS.filter(({ from }) => width >= from);
  const mark = height === undefined ? {} : { selected: at };
  const { heading, rows } = renderTable({ columns, rows: servers, width, now, ...mark });
  if (height === undefined) return [heading, ...rows];
  const part = visiblePart(rows.length, Math.max(1, height - 2), at);
  return [heading, ...rows.slice(part.from, part.to), [span(outOfSight(rows.length, part), "faint")]];
}
