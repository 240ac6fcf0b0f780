/** A panel: a title, and as many of its lines as fit. */
import type { Panel, PanelLine, TopState } from "./state.ts";
import { type Line, span } from "./style.ts";
import { outOfSight } from "./table.ts";
import { printable, wrap } from "./text.ts";

/** Tables are cut at the right edge; everything else goes on in the next line. */
function broken({ kind, lines = [] }: Panel, width: number): PanelLine[] {
  if (kind === "requests") return [...lines];
  return lines.flatMap(({ text, style }) =>
    wrap(printable(text), Math.max(1, width)).map((part) => ({ text: part, style })),
  );
}

export function renderPanel(panel: Panel, width: number, height: number): Line[] {
  const title: Line = [span(printable(panel.title), "strong")];
  if (panel.lines === undefined) return [title, [span("asking the server …", "faint")]];
  const lines = broken(panel, width);
  const room = roomFor(height);
  const from = firstLine(panel, lines.length, room);
  const to = Math.min(lines.length, from + room);
  const rest = outOfSight(lines.length, { from, to });
  return [
    [...title, span(rest === "" ? "" : `  ${rest}`, "faint")],
    ...lines.slice(from, to).map(({ text, style }) => [span(printable(text), style)]),
  ];
}

function roomFor(height: number): number {
  return Math.max(1, height - 1);
}

function firstLine({ top }: Panel, count: number, room: number): number {
  const last = Math.max(0, count - room);
  return Math.min(top ?? last, last);
}

/** Lines that a panel can show at once; what surrounds it is about this high. */
const AROUND = 6;

/** Scrolls the open panel by a number of lines; a panel whose end comes into view stays at its end. */
export function scrolled({ size }: TopState, panel: Panel, by: number): Panel {
  const count = broken(panel, size.columns).length;
  const room = Math.max(1, size.rows - AROUND);
  const last = Math.max(0, count - room);
  const at = Math.max(0, Math.min((panel.top ?? last) + by, last));
  return { ...panel, top: at === last && panel.kind === "log" ? undefined : at };
}
