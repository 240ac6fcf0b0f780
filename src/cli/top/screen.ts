/** The changes from one frame to the next, as what has to be written: one string, with only the lines that differ. */
import type { Size } from "./state.ts";
import { type Line, lineWidth, type Palette, paint } from "./style.ts";

/** Control sequences (ECMA-48 8.3): cursor position, and erase to the end of the line or of the page. */
const CLEAR = "\x1b[H\x1b[J";
const ERASE_TO_END = "\x1b[K";

export class Screen {
  readonly #palette: Palette;
  #shown: string[] = [];
  #size: Size | undefined;

  constructor(palette: Palette) {
    this.#palette = palette;
  }

  /** Nothing is known of what the terminal shows: the next frame is written in full. */
  forget(): void {
    this.#size = undefined;
  }

  /** Returns what to write for `lines` to be shown; "" if they are. */
  change(lines: readonly Line[], size: Size): string {
    let text = "";
    if (this.#size?.columns !== size.columns || this.#size.rows !== size.rows) {
      text = CLEAR;
      this.#shown = [];
      this.#size = size;
    }
    const painted = lines.slice(0, size.rows).map((line) => {
      // At the right edge the cursor waits on the last column, which an erasure would take.
      const isFull = lineWidth(line) >= size.columns;
      return paint(line, this.#palette) + (isFull ? "" : ERASE_TO_END);
    });
    for (const [row, line] of painted.entries()) {
      if (line === (this.#shown[row] ?? ERASE_TO_END)) continue;
      text += `\x1b[${row + 1};1H${line}`;
    }
    this.#shown = painted;
    return text;
  }
}
