/** Rows in columns that keep their places from one frame to the next. */
import { type Line, lineWidth, type Style, span } from "./style.ts";
import { cut, fill, printable, widthOf } from "./text.ts";

export interface Column<Row> {
  readonly id: string;
  readonly heading: string;
  /** Wide enough for what is usual, so that columns stay where they are. A wider value widens it. */
  readonly width: number;
  readonly align: "left" | "right";
  /** The width of the terminal from which on it is shown. */
  readonly from: number;
  text(row: Row, now: number): string;
  style?(row: Row): Style;
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly width: number;
  readonly now: number;
  /** The index of the selected row. */
  readonly selected?: number;
  /** The column that the rows are sorted by, if it is to be marked. */
  readonly sort?: { readonly id: string; readonly isAscending: boolean };
}

export interface Table {
  readonly heading: Line;
  readonly rows: readonly Line[];
}

/** The last column gets at least this if there are two spaces between columns, not one. */
const ROOMY = 24;

/** Renders all rows; a last column aligned left is cut to what the others leave. */
export function renderTable<Row>(options: TableOptions<Row>): Table {
  const { columns, rows, width, now, selected } = options;
  const cells = rows.map((row) => columns.map((column) => printable(column.text(row, now))));
  const widths = columns.map(({ heading, width: least }, index) =>
    Math.max(least, widthOf(heading), ...cells.map((row) => widthOf(row[index] ?? ""))),
  );
  const fixed = widths.slice(0, -1).reduce((sum, each) => sum + each, 0);
  const gaps = columns.length - 1;
  const gap = width - fixed - 2 * gaps >= ROOMY ? 2 : 1;
  const last = columns.at(-1);
  if (last?.align === "left") widths[gaps] = Math.max(1, width - fixed - gap * gaps);
  return {
    heading: headingLine(options, widths, gap),
    rows: cells.map((row, index) => {
      const line = columns.flatMap((column, at) => [
        ...(at === 0 ? [] : [span(" ".repeat(gap))]),
        span(
          fill(row[at] as string, widths[at] as number, column.align),
          column.style?.(rows[index] as Row) ?? "plain",
        ),
      ]);
      return index === selected ? selectedLine(line, width) : line;
    }),
  };
}

function headingLine<Row>({ columns, sort }: TableOptions<Row>, widths: number[], gap: number): Line {
  return columns.flatMap(({ id, heading, align }, at) => {
    const isSorted = sort?.id === id;
    const text = fill(heading, widths[at] as number, align);
    const between = at === 0 ? "" : " ".repeat(gap);
    if (!isSorted || at === 0) return [span(between), span(text, isSorted ? "strong" : "faint")];
    // The mark stands before the heading, where there is always a space.
    const mark = sort?.isAscending === true ? "▴" : "▾";
    const marked =
      align === "left" ? `${between.slice(1)}${mark}${text}` : marking(between + text, heading, mark);
    return [span(marked, "strong")];
  });
}

function marking(text: string, heading: string, mark: string): string {
  const at = text.length - heading.length - 1;
  return `${text.slice(0, at)}${mark}${heading}`;
}

/** One style for the whole row, to the right edge. */
function selectedLine(line: Line, width: number): Line {
  const text = line.map((part) => part.text).join("");
  return [span(cut(text, width) + " ".repeat(Math.max(0, width - lineWidth(line))), "selected")];
}

/** The part of `count` rows that `height` rows show, with the selected one in it. */
export function visiblePart(count: number, height: number, selected: number): { from: number; to: number } {
  const from = Math.max(0, Math.min(selected - Math.floor(height / 2), count - height));
  return { from, to: Math.min(count, from + height) };
}

/** How many rows are out of sight: `↑ 3 more  ↓ 12 more`; empty if none are. */
export function outOfSight(count: number, { from, to }: { from: number; to: number }): string {
  const parts = [from > 0 ? `↑ ${from} more` : "", to < count ? `↓ ${count - to} more` : ""];
  return parts.filter((part) => part !== "").join("  ");
}
