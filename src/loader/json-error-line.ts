/** Finds where a text stops being JSON (RFC 8259). `JSON.parse` does not always report it, and never as a line. */

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Returns the line, from 1, of the first character that cannot be JSON; undefined for valid JSON. */
export function jsonErrorLine(text: string): number | undefined {
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
    this.#accept(SPACE);
    return this.at === this.#text.length;
  }

  /** Advances past a value. On invalid input returns false and stays at the offending character. */
  value(): boolean {
    if (this.#acceptCharacter("{"))
      return this.#members("}", () => this.#string() && this.#acceptCharacter(":") && this.value());
    if (this.#acceptCharacter("[")) return this.#members("]", () => this.value());
    return this.#string() || this.#accept(SCALAR);
  }

  #members(close: string, member: () => boolean): boolean {
    if (this.#acceptCharacter(close)) return true;
    do {
      if (!member()) return false;
    } while (this.#acceptCharacter(","));
    return this.#acceptCharacter(close);
  }

  #string(): boolean {
    this.#accept(SPACE);
    return this.#accept(STRING);
  }

  #acceptCharacter(character: string): boolean {
    this.#accept(SPACE);
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  #accept(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found !== undefined;
  }
}
