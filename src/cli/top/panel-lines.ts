/** The answers that panels show, as lines. */
import type { InFlightReport, LogReport } from "../../control/stats.ts";
import { bytes, duration, UNKNOWN } from "../figures.ts";
import type { PanelLine } from "./state.ts";
import { type Column, renderTable } from "./table.ts";

/** Wider than any terminal: the panel cuts what does not fit. */
const UNLIMITED = 10_000;

export function plainLines(text: string): PanelLine[] {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => ({ text: line.replaceAll("\t", "  "), style: "plain" }));
}

/** A message in place of what was asked for. */
export function message(text: string, isProblem = true): PanelLine[] {
  return [{ text, style: isProblem ? "bad" : "faint" }];
}

function column(
  heading: string,
  width: number,
  align: "left" | "right",
  text: Column<InFlightReport>["text"],
): Column<InFlightReport> {
  return { id: heading, heading, width, align, from: 0, text };
}

const REQUEST_COLUMNS: readonly Column<InFlightReport>[] = [
  column("SLOT", 4, "right", ({ slot }) => String(slot)),
  column("PID", 6, "right", ({ pid }) => String(pid)),
  column("AGE", 6, "right", ({ age }) => duration(age)),
  column("IN", 5, "right", ({ bytesReceived }) => bytes(bytesReceived)),
  column("OUT", 5, "right", ({ bytesSent }) => bytes(bytesSent)),
  column("REMOTE", 15, "left", ({ remote }) => remote ?? UNKNOWN),
  column(
    "REQUEST",
    7,
    "left",
    ({ method, target, id }) => `${method} ${target}${id === null ? "" : `  ${id}`}`,
  ),
];

/** Milliseconds from which on a request is marked. */
const OLD = 10_000;

/** Requests in flight as a table, the oldest first. */
export function requestLines(requests: readonly InFlightReport[]): PanelLine[] {
  if (requests.length === 0) return message("none", false);
  const rows = [...requests].sort((a, b) => b.age - a.age);
  const { heading, rows: lines } = renderTable({ columns: REQUEST_COLUMNS, rows, width: UNLIMITED, now: 0 });
  const textOf = (spans: readonly { readonly text: string }[]): string =>
    spans
      .map(({ text }) => text)
      .join("")
      .trimEnd();
  return [
    { text: textOf(heading), style: "faint" },
    ...lines.map((line, index) => ({
      text: textOf(line),
      style: (rows[index]?.age ?? 0) >= OLD ? ("warning" as const) : ("plain" as const),
    })),
  ];
}

const LEVELS: ReadonlySet<LogReport["level"]> = new Set(["error", "critical"]);

/** Lines of the log: the arbiter's have their time and level, what a worker wrote to standard error has its slot. */
export function logLines(records: readonly LogReport[]): PanelLine[] {
  return records.map(({ time, pid, slot, level, line }) => ({
    text: `${time.slice(11, 19)} ${slot === null ? "arbiter" : `slot ${slot} (${pid})`}${level === null ? "" : ` ${level}`}: ${line.replaceAll("\t", "  ")}`,
    style: LEVELS.has(level) ? "bad" : level === "warning" ? "warning" : "plain",
  }));
}
