/** A few fields of a head, found in one pass over it: what is cheaper than cutting up all of them. */

const COLON = 0x3a;
const SP = 0x20;
const HTAB = 0x09;
/** What makes a letter a small one. */
const CASE_BIT = 0x20;

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

/** The text between two places, without the white space of HTTP at its ends. */
export function trimmed(section: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(section.charCodeAt(from))) from += 1;
  while (to > from && isBlank(section.charCodeAt(to - 1))) to -= 1;
  return section.substring(from, to);
}

/** RFC 9110 section 5.3: fields with one name are a list. */
export function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

export class FieldPicker {
  readonly names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  /** The names' first letters, folded: what most lines are told by. */
  readonly #firsts: readonly number[];
  readonly #nothing: readonly undefined[];

  /** @param names in lower case */
  constructor(names: readonly string[]) {
    this.names = [...new Set(names)];
    this.#places = new Map(this.names.map((name, place) => [name, place]));
    this.#firsts = this.names.map((name) => name.charCodeAt(0) | CASE_BIT);
    this.#nothing = this.names.map(() => undefined);
  }

  /** Where the value of this field stands in what `pick` returns; undefined when it is not picked. */
  placeOf(name: string): number | undefined {
    return this.#places.get(name);
  }

  /** The values, in the order of the names; `section` is lines of `name: value CRLF`. */
  pick(section: string): (string | undefined)[] {
    const { names } = this;
    const firsts = this.#firsts;
    const values: (string | undefined)[] = this.#nothing.slice();
    let at = 0;
    for (;;) {
      // One character is found far faster than two, and in a section LF stands behind CR only.
      const lineEnd = section.indexOf("\n", at) - 1;
      if (lineEnd <= at) return values;
      const first = section.charCodeAt(at) | CASE_BIT;
      for (let place = 0; place < firsts.length; place++) {
        if (firsts[place] !== first) continue;
        const name = names[place] as string;
        const colon = at + name.length;
        if (section.charCodeAt(colon) !== COLON) continue;
        if (section.substring(at, colon).toLowerCase() !== name) continue;
        values[place] = joined(values[place], trimmed(section, colon + 1, lineEnd));
        break;
      }
      at = lineEnd + 2;
    }
  }
}

/** One field in a field section; its name is in lower case. */
export function fieldIn(section: string, name: string): string | undefined {
  return pickerOf(name).pick(section)[0];
}

const pickers = new Map<string, FieldPicker>();
const PICKERS_MAX = 100;

function pickerOf(name: string): FieldPicker {
  let picker = pickers.get(name);
  if (picker === undefined) {
    picker = new FieldPicker([name]);
    if (pickers.size < PICKERS_MAX) pickers.set(name, picker);
  }
  return picker;
}
