/**
 * Text by the columns it takes in a terminal: wide characters take two, combining ones none. Names and targets come from
 * other processes, so nothing of them may reach the terminal as a control sequence.
 */
import stringWidth from "string-width";

const segmenter = new Intl.Segmenter();

/** Control characters, and format characters that change the direction of what follows them. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const ASCII = /^[\x20-\x7e]*$/;

/** Replaces what a terminal would obey or could not show. */
export function printable(text: string): string {
  return ASCII.test(text) ? text : text.replaceAll(UNPRINTABLE, "?");
}

/** The columns that printable text takes. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** Cuts text to at most `width` columns, never within a character. Text that was cut ends with an ellipsis. */
export function cut(text: string, width: number): string {
  if (text.length <= width && ASCII.test(text)) return text;
  let columns = 0;
  let kept = "";
  let fits = "";
  for (const { segment } of segmenter.segment(text)) {
    columns += widthOf(segment);
    if (columns > width) return width < 1 ? "" : `${kept}…`;
    fits += segment;
    if (columns < width) kept = fits;
  }
  return fits;
}

/** The same at the other end: an ellipsis, and the end of the text. */
export function cutStart(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const backwards = [...segmenter.segment(text)].map(({ segment }) => segment).reverse();
  let kept = "";
  let columns = 1;
  for (const segment of backwards) {
    columns += widthOf(segment);
    if (columns > width) break;
    kept = segment + kept;
  }
  return width < 1 ? "" : `…${kept}`;
}

/** Cuts or fills text to exactly `width` columns. */
export function fill(text: string, width: number, align: "left" | "right" = "left"): string {
  const fitting = cut(text, width);
  const space = " ".repeat(Math.max(0, width - widthOf(fitting)));
  return align === "left" ? fitting + space : space + fitting;
}

/** Breaks a line into lines of at most `width` columns; at least one. It breaks at a space where one is not far back. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  let columns = 0;
  for (const { segment } of segmenter.segment(text)) {
    const next = widthOf(segment);
    if (columns + next > width && line !== "") {
      const space = segment === " " ? line.length : line.lastIndexOf(" ");
      const end = space > line.length / 2 ? space : line.length;
      lines.push(line.slice(0, end).trimEnd());
      line = line.slice(end).trimStart();
      columns = widthOf(line);
      if (segment === " " && line === "") continue;
    }
    line += segment;
    columns += next;
  }
  return [...lines, line];
}
