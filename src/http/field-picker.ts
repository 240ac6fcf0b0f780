/** Finds a few fields of a head in one pass, which is cheaper than splitting all of them. */

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
  readonly #indexes: ReadonlyMap<string, number>;
  /** The first letter of each name, in lower case: it rules out most lines with one comparison. */
  readonly #firstLetters: readonly number[];
  readonly #noValues: readonly undefined[];

  /** @param names in lower case */
  constructor(names: readonly string[]) {
    this.names = [...new Set(names)];
    this.#indexes = new Map(this.names.map((name, index) => [name, index]));
    this.#firstLetters = this.names.map((name) => name.charCodeAt(0) | CASE_BIT);
    this.#noValues = this.names.map(() => undefined);
  }

  /** The index of this field's value in the result of `pick`; undefined if it is not picked. */
  indexOf(name: string): number | undefined {
    return this.#indexes.get(name);
  }

  /** Returns the values in the order of `names`. `section` consists of `name: value CRLF` lines. */
  pick(section: string): (string | undefined)[] {
    const { names } = this;
    const firstLetters = this.#firstLetters;
    const values: (string | undefined)[] = this.#noValues.slice();
    let at = 0;
    for (;;) {
      // Searching for one character is far faster than for two, and in a validated section LF only follows CR.
      const lineEnd = section.indexOf("\n", at) - 1;
      if (lineEnd <= at) return values;
      const first = section.charCodeAt(at) | CASE_BIT;
      for (let index = 0; index < firstLetters.length; index++) {
        if (firstLetters[index] !== first) continue;
        const name = names[index] as string;
        const colon = at + name.length;
        if (section.charCodeAt(colon) !== COLON) continue;
        if (section.substring(at, colon).toLowerCase() !== name) continue;
        values[index] = joinValues(values[index], trimOws(section, colon + 1, lineEnd));
        break;
      }
      at = lineEnd + 2;
    }
  }
}

/** The value of one field of a field section. `name` is in lower case. */
export function findField(section: string, name: string): string | undefined {
  return pickerOf(name).pick(section)[0];
}

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
