/**
 * Parses nginx's configuration into a tree of directives with their lines: words, quotes, comments and blocks,
 * as in ngx_conf_file.c. The meaning of a directive does not matter here.
 */
import { ExitCode, FatalError } from "../../errors.ts";
import { type FileLine, formatFileLine } from "./file-line.ts";

export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly place: FileLine;
  /** The contents of its braces; undefined if a semicolon ends the directive. */
  readonly block?: readonly Directive[];
}

type Mark = ";" | "{" | "}";
type Token =
  | { readonly kind: "word"; readonly text: string; readonly line: number }
  | { readonly kind: Mark; readonly line: number };

const SPACE = /\s+/y;
const COMMENT = /#[^\n]*/y;
const MARK = /[;{}]/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"|'((?:[^'\\]|\\[\s\S])*)'/y;
/** `${name}` is part of a word, including the braces. */
const BARE = /(?:\$\{[^}\n]*\}|\\[\s\S]|[^\s;{}\\"'])(?:\$\{[^}\n]*\}|\\[\s\S]|[^\s;{\\])*/y;

/** @throws FatalError (usage) that names the file and the line. */
export function parseNginx(text: string, file: string): Directive[] {
  return new Parser(text, file).parse();
}

class Parser {
  readonly #text: string;
  readonly #file: string;
  #offset = 0;
  #line = 1;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  parse(): Directive[] {
    return this.#block(undefined);
  }

  /** Parses directives up to the closing brace or the end of the file. */
  #block(opened: number | undefined): Directive[] {
    const directives: Directive[] = [];
    for (;;) {
      const token = this.#next();
      if (token === undefined) {
        if (opened === undefined) return directives;
        throw this.#error(opened, "this block is not closed: a } is missing");
      }
      if (token.kind === "word") directives.push(this.#directive(token.text, token.line));
      else if (token.kind !== "}") throw this.#error(token.line, `unexpected ${token.kind}`);
      else if (opened !== undefined) return directives;
      else throw this.#error(token.line, "unexpected }");
    }
  }

  #directive(name: string, line: number): Directive {
    const args: string[] = [];
    const place = { file: this.#file, line };
    for (;;) {
      const token = this.#next();
      if (token?.kind === "word") args.push(token.text);
      else if (token?.kind === ";") return { name, args, place };
      else if (token?.kind === "{") {
        return {
          name,
          args,
          place,
          block: name.endsWith("_by_lua_block") ? this.#skip(line) : this.#block(line),
        };
      } else throw this.#error(line, `${name} is not terminated: a ; is missing`);
    }
  }

  /** Skips a block of Lua. */
  #skip(opened: number): Directive[] {
    for (let depth = 1; depth > 0; this.#offset += 1) {
      const char = this.#text[this.#offset];
      if (char === undefined) throw this.#error(opened, "this block is not closed: a } is missing");
      if (char === "\n") this.#line += 1;
      if (char === "{") depth += 1;
      if (char === "}") depth -= 1;
    }
    return [];
  }

  #next(): Token | undefined {
    while (this.#match(SPACE) !== undefined || this.#match(COMMENT) !== undefined);
    if (this.#offset >= this.#text.length) return undefined;
    const line = this.#line;
    const mark = this.#match(MARK)?.[0];
    if (mark !== undefined) return { kind: mark as Mark, line };
    const quoted = this.#match(QUOTED);
    const word = quoted === undefined ? this.#match(BARE)?.[0] : (quoted[1] ?? quoted[2]);
    if (word !== undefined) return { kind: "word", text: word.replaceAll(/\\(["'\\ ;{}])/g, "$1"), line };
    const found = this.#text[this.#offset];
    throw this.#error(
      line,
      found === "\\" ? "there is nothing after \\" : `the quote ${found} is not terminated`,
    );
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#offset = pattern.lastIndex;
    this.#line += match[0].split("\n").length - 1;
    return match;
  }

  #error(line: number, what: string): FatalError {
    return new FatalError(`${formatFileLine({ file: this.#file, line })}: ${what}`, ExitCode.usage);
  }
}
