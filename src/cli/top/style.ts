/**
 * Lines as spans of text with a style, so that a line can be measured and cut before it becomes control sequences. Words
 * carry every fact; colours only repeat it.
 */
import { cut, widthOf } from "./text.ts";

export type Style = "plain" | "strong" | "faint" | "good" | "warning" | "bad" | "selected" | "heading";

export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One row of the screen. */
export type Line = readonly Span[];

/** The abilities of the terminal. */
export interface Palette {
  /** None at all: a file, a pipe. */
  readonly hasStyles: boolean;
  /** Else only bold, faint and reverse. */
  readonly hasColours: boolean;
  /** Else symbols become ASCII characters. */
  readonly hasUnicode: boolean;
}

/** Our own symbols, each one column wide, and what stands for them where the terminal has only ASCII. */
const SYMBOLS = "▁▂▃▄▅▆▇█…↺↑↓▾▴·";
const IN_ASCII = "_.-=+*#@~%^vv^-";

/** SGR parameters (ECMA-48 8.3.117). */
const ATTRIBUTES: Readonly<Record<Style, string>> = {
  plain: "",
  strong: "1",
  faint: "2",
  good: "",
  warning: "1",
  bad: "1",
  selected: "7",
  heading: "4",
};
const COLOURS: Readonly<Partial<Record<Style, string>>> = { good: "32", warning: "33", bad: "1;31" };

/**
 * Reads from the environment what the terminal can show.
 * @see https://no-color.org
 */
export function paletteOf(environment: NodeJS.ProcessEnv, isTerminal: boolean): Palette {
  const { TERM = "", NO_COLOR = "", LC_ALL, LC_CTYPE, LANG } = environment;
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== "");
  const hasStyles = isTerminal && TERM !== "dumb";
  return {
    hasStyles,
    hasColours: hasStyles && NO_COLOR === "",
    // Where no locale is set at all, in a container for example, the terminal is outside and of today.
    hasUnicode: locale === undefined || /utf-?8/i.test(locale),
  };
}

export function span(text: string, style: Style = "plain"): Span {
  return { text, style };
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + widthOf(text), 0);
}

/** Cuts a line to at most `width` columns. */
export function cutLine(line: Line, width: number): Line {
  if (lineWidth(line) <= width) return line;
  const kept: Span[] = [];
  let left = width;
  for (const { text, style } of line) {
    const columns = widthOf(text);
    // The mark has to fit as well, so the span that fills the width is cut although it would fit.
    if (columns >= left) return [...kept, { text: cut(`${text}…`, left), style }];
    kept.push({ text, style });
    left -= columns;
  }
  return kept;
}

/** The line as text with control sequences; it begins and ends in the plain style. */
export function paint(line: Line, palette: Palette): string {
  return line
    .map(({ text, style }) => {
      const shown = palette.hasUnicode ? text : inAscii(text);
      const code = codeOf(style, palette);
      return code === "" || text === "" ? shown : `\x1b[${code}m${shown}\x1b[0m`;
    })
    .join("");
}

function codeOf(style: Style, { hasStyles, hasColours }: Palette): string {
  if (!hasStyles) return "";
  return (hasColours ? COLOURS[style] : undefined) ?? ATTRIBUTES[style];
}

function inAscii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/gu, (symbol) => IN_ASCII[SYMBOLS.indexOf(symbol)] ?? symbol);
}
