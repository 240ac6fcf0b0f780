/**
 * Parses the arguments of a factory call as data: strings in either quote, numbers, true, false, null,
 * and arrays and objects in JSON form. Nothing is evaluated, so a command line cannot run code.
 */

/** A malformed literal; `at` is the offset of the offending character. */
export class LiteralError extends Error {
  override readonly name = "LiteralError";
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const WORDS: Record<string, unknown> = { true: true, false: false, null: null };
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", "0": "\0" };

/**
 * Parses comma-separated literals (the text between the parentheses).
 * Throws `LiteralError` for anything that is not a literal.
 */
export function parseArguments(text: string): unknown[] {
  const reader = new Reader(text);
  const values = reader.list(undefined);
  reader.end();
  return values;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads values up to and including `close`, or up to the end of the text if it is undefined. */
  list(close: string | undefined): unknown[] {
    const values: unknown[] = [];
    if (this.#acceptClose(close)) return values;
    do values.push(this.#value());
    while (this.#accept(","));
    if (close !== undefined) this.#expect(close);
    return values;
  }

  end(): void {
    if (this.#peek() !== undefined) this.#fail(`unexpected ${this.#shown()}`);
  }

  #value(): unknown {
    const next = this.#peek();
    if (next === undefined) this.#fail("a value is missing");
    if (next === '"' || next === "'") return this.#string(next);
    if (this.#accept("[")) return this.list("]");
    if (this.#accept("{")) return this.#object();
    const number = this.#match(NUMBER);
    if (number !== undefined) return Number(number);
    const start = this.#at;
    const word = this.#match(WORD);
    if (word !== undefined && Object.hasOwn(WORDS, word)) return WORDS[word];
    this.#at = start;
    return this.#fail(
      word === undefined
        ? `unexpected ${this.#shown()}`
        : `${word} is not a literal (only strings, numbers, true, false, null, arrays and objects are; quote a string)`,
    );
  }

  #object(): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    if (this.#acceptClose("}")) return {};
    do {
      const quote = this.#peek();
      if (quote !== '"' && quote !== "'") this.#fail("object keys must be quoted strings");
      const key = this.#string(quote as string);
      this.#expect(":");
      entries.push([key, this.#value()]);
    } while (this.#accept(","));
    this.#expect("}");
    // fromEntries defines own properties, so the key "__proto__" is harmless.
    return Object.fromEntries(entries);
  }

  #string(quote: string): string {
    const start = this.#at;
    this.#at += 1;
    let value = "";
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        this.#at = start;
        this.#fail("a string is not terminated");
      }
      this.#at += 1;
      if (char === quote) return value;
      value += char === "\\" ? this.#escape() : char;
    }
  }

  #escape(): string {
    const char = this.#text[this.#at] ?? "";
    this.#at += 1;
    if (char === "u") {
      const hex = /^[0-9a-fA-F]{4}/.exec(this.#text.slice(this.#at))?.[0];
      if (hex === undefined) this.#fail("\\u must be followed by four hexadecimal digits");
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex as string, 16));
    }
    return ESCAPES[char] ?? char;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #acceptClose(close: string | undefined): boolean {
    return close === undefined ? this.#peek() === undefined : this.#accept(close);
  }

  #accept(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at += 1;
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) this.#fail(`expected ${char} but found ${this.#shown()}`);
  }

  /** Skips white space and returns the next character without consuming it. */
  #peek(): string | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    return this.#text[this.#at];
  }

  #shown(): string {
    const char = this.#text[this.#at];
    return char === undefined ? "the end" : char;
  }

  #fail(message: string): never {
    throw new LiteralError(message, this.#at);
  }
}
