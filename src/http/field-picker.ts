/** Finds a few fields of a head in one pass, which is cheaper than splitting all of them. */
import { ownCopy } from "../native/own-copy.ts";

const COLON = 0x3a;
const SP = 0x20;
const HTAB = 0x09;
/** Set in lower-case ASCII letters. */
const CASE_BIT = 0x20;

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

/** The text from `start` to `end` without leading and trailing OWS (RFC 9110 section 5.6.3). */
export function trimOws(section: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(section.charCodeAt(from))) from += 1;
  while (to > from && isBlank(section.charCodeAt(to - 1))) to -= 1;
  return section.substring(from, to);
}

/** Joins repeated fields into a list (RFC 9110 section 5.3). */
export function joinValues(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

export class FieldPicker {
  readonly names: readonly string[];
  /** For each first letter, in lower case: 1 + the index of the first name. Most lines are of no name. */
  readonly #firsts = new Uint16Array(256);
  /** For each name: 1 + the index of the next name with the same letter. */
  readonly #nexts: Uint16Array;
  /** Each name as it came first, since clients differ in that but seldom change it. */
  readonly #spellings: string[];

  /** @param names in lower case */
  constructor(names: readonly string[]) {
    this.names = [...new Set(names)];
    this.#nexts = new Uint16Array(this.names.length);
    this.#spellings = [...this.names];
    for (const [index, name] of this.names.entries()) {
      const letter = name.charCodeAt(0) | CASE_BIT;
      this.#nexts[index] = this.#firsts[letter] as number;
      this.#firsts[letter] = index + 1;
    }
  }

  /** The index of this field's value in the result of `pick`; -1 if it is not picked. */
  indexOf(name: string): number {
    const { names } = this;
    // A loop over a few names costs less than a look-up in a map.
    for (let index = 0; index < names.length; index++) if (names[index] === name) return index;
    return -1;
  }

  /**
   * Returns the values in the order of `names`. `section` consists of `name: value CRLF` lines.
   *
   * @param values takes the values; used again by who calls this often
   */
  pick(section: string, values: (string | undefined)[] = []): (string | undefined)[] {
    const firsts = this.#firsts;
    this.clear(values);
    let at = 0;
    for (;;) {
      // Searching for one character is far faster than for two, and in a validated section LF only follows CR.
      const lineEnd = section.indexOf("\n", at) - 1;
      if (lineEnd <= at) return values;
      const first = firsts[section.charCodeAt(at) | CASE_BIT] as number;
      if (first !== 0) this.#take(section, at, lineEnd, first, values);
      at = lineEnd + 2;
    }
  }

  /** Sets all values to undefined. */
  clear(values: (string | undefined)[]): void {
    for (let index = 0; index < this.names.length; index++) values[index] = undefined;
  }

  #take(section: string, at: number, lineEnd: number, first: number, values: (string | undefined)[]): void {
    for (let found = first; found !== 0; found = this.#nexts[found - 1] as number) {
      if (!this.#isField(section, at, found - 1)) continue;
      const colon = at + (this.names[found - 1] as string).length;
      values[found - 1] = joinValues(values[found - 1], trimOws(section, colon + 1, lineEnd));
      return;
    }
  }

  /** Whether the line at `at` is of this field. */
  #isField(section: string, at: number, index: number): boolean {
    const name = this.names[index] as string;
    const colon = at + name.length;
    if (section.charCodeAt(colon) !== COLON) return false;
    const spelling = section.substring(at, colon);
    if (spelling === this.#spellings[index] || spelling === name) return true;
    if (spelling.toLowerCase() !== name) return false;
    if (this.#spellings[index] === name) this.#spellings[index] = ownCopy(spelling);
    return true;
  }
}

/** The value of one field of a field section. `name` is in lower case. */
export function findField(section: string, name: string): string | undefined {
  return pickerOf(name).pick(section, found)[0];
}

/** Where `findField` has the picker put its value. */
const found: (string | undefined)[] = [];
const pickers = new Map<string, FieldPicker>();
const MAX_PICKERS = 100;

function pickerOf(name: string): FieldPicker {
  let picker = pickers.get(name);
  if (picker === undefined) {
    picker = new FieldPicker([name]);
    if (pickers.size < MAX_PICKERS) pickers.set(name, picker);
  }
  return picker;
}
