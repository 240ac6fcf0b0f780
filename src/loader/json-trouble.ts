/** Where a text stops being JSON (RFC 8259). `JSON.parse` does not always say, and never in lines. */

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** The line, from 1, of the first character that no JSON text could have there; undefined for JSON. */
export function lineOfJsonTrouble(text: string): number | undefined {
  const scan = new Scan(text);
  if (scan.value() && scan.atEnd()) return undefined;
  return text.slice(0, scan.at).split("\n").length;
}

class Scan {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#takes(SPACE);
    return this.at === this.#text.length;
  }

  /** Goes behind a value; stays where it is none any more, and returns false. */
  value(): boolean {
    if (this.#opens("{")) return this.#members("}", () => this.#string() && this.#opens(":") && this.value());
    if (this.#opens("[")) return this.#members("]", () => this.value());
    return this.#string() || this.#takes(SCALAR);
  }

  #members(close: string, member: () => boolean): boolean {
    if (this.#opens(close)) return true;
    do {
      if (!member()) return false;
    } while (this.#opens(","));
    return this.#opens(close);
  }

  #string(): boolean {
    this.#takes(SPACE);
    return this.#takes(STRING);
  }

  #opens(character: string): boolean {
    this.#takes(SPACE);
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  #takes(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found !== undefined;
  }
}
