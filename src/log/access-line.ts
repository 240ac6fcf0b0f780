/**
 * Renders access log lines from a parsed format. `strictLine` renders each atom for each line. `keptLine` makes the same
 * lines, and renders anew only what has changed since the last line of the connection.
 */
import { ownCopy } from "../native/own-copy.ts";
import type { Atom, AtomReader } from "./access-atoms.ts";
import type { AccessEntry } from "./access-entry.ts";
import type { LineMemo } from "./line-memo.ts";
import { escapeJson, escapeText, escapeWord } from "./log-escape.ts";

/** Where an atom stands: in plain text, inside a JSON string, or as a JSON value of its own. */
export type AtomContext = "text" | "string" | "value";

/** An atom of the format, and the text before it: one character per byte. */
export interface LinePiece {
  readonly literal: string;
  readonly context: AtomContext;
  readonly read: AtomReader;
  readonly nature: Atom["nature"];
  readonly dependsOn: Atom["dependsOn"];
  readonly parts: Atom["parts"];
}

/** Renders an atom's value into the line. */
type Renderer = (entry: AccessEntry) => string;

/** A stretch whose values changed this often in a row is made anew for each line for a while: many clients may share the connection. */
const MAX_MISSES = 3;
const PAUSE = 200;
/** Text that is longer is not kept: a connection must not hold much. */
const MAX_KEPT_LENGTH = 2048;

/** Makes a line anew. */
export function strictLine(pieces: readonly LinePiece[], rest: string): (entry: AccessEntry) => string {
  const literals = pieces.map(({ literal }) => literal);
  const renderers = pieces.map(rendererOf);
  return (entry) => {
    let line = "";
    for (let index = 0; index < renderers.length; index++) {
      line += (literals[index] as string) + (renderers[index] as Renderer)(entry);
    }
    return line + rest;
  };
}

function rendererOf({ read, nature, context }: LinePiece): Renderer {
  const isNumber = nature === "number";
  const safe = isNumber || nature === "safe";
  if (context === "value") {
    return (entry) => {
      const value = read(entry);
      if (value === undefined) return "null";
      if (isNumber || typeof value === "number") return String(value);
      return `"${safe ? value : escapeJson(value)}"`;
    };
  }
  const escaped = context !== "text" ? escapeJson : nature === "word" ? escapeWord : escapeText;
  if (safe) return (entry) => String(read(entry) ?? "-");
  return (entry) => {
    const value = read(entry);
    return value === undefined ? "-" : escaped(String(value));
  };
}

/**
 * Makes a line with the help of the connection's last one. Atoms that seldom change form stretches with the text around
 * them. As long as no value of a stretch changes it is one string, neither escaped nor joined again.
 */
export function keptLine(
  pieces: readonly LinePiece[],
  rest: string,
): (entry: AccessEntry, memo: LineMemo) => string {
  const stretches: Stretch[] = [];
  const renderers: Renderer[] = [];
  let steady: SteadyPiece[] = [];
  let literal = "";
  const add = ({ dependsOn, read }: LinePiece, render: Renderer): void => {
    if (dependsOn === "nothing") {
      literal += render(NO_REQUEST);
      return;
    }
    if (dependsOn === undefined) {
      stretches.push(new Stretch(stretches.length, steady, literal));
      renderers.push(render);
      steady = [];
    } else {
      steady.push({ literal, render, key: dependsOn === "itself" ? read : dependsOn });
    }
    literal = "";
  };
  for (const piece of pieces) {
    literal += piece.literal;
    if (piece.parts === undefined) {
      add(piece, rendererOf(piece));
      continue;
    }
    const isValue = piece.context === "value";
    if (isValue) literal += '"';
    for (const [index, part] of piece.parts.entries()) {
      if (index > 0) literal += " ";
      const context = isValue ? "string" : piece.context;
      const inner = { ...piece, dependsOn: undefined, ...part, context } as const;
      add(inner, rendererOf(inner));
    }
    if (isValue) literal += '"';
  }
  const last = new Stretch(stretches.length, steady, literal + rest);
  return (entry, memo) => {
    let line = "";
    for (let index = 0; index < renderers.length; index++) {
      line += (stretches[index] as Stretch).text(entry, memo);
      line += (renderers[index] as Renderer)(entry);
    }
    return line + last.text(entry, memo);
  };
}

/** An atom that seldom changes, and the text before it. */
interface SteadyPiece {
  readonly literal: string;
  readonly render: Renderer;
  readonly key: AtomReader;
}

/** Atoms that seldom change, and the text between and after them. */
class Stretch {
  readonly #index: number;
  readonly #pieces: readonly SteadyPiece[];
  readonly #rest: string;

  /** @param index its place in a memo */
  constructor(index: number, pieces: readonly SteadyPiece[], rest: string) {
    this.#index = index;
    this.#pieces = pieces;
    this.#rest = rest;
  }

  text(entry: AccessEntry, memo: LineMemo): string {
    const pieces = this.#pieces;
    if (pieces.length === 0) return this.#rest;
    const kept = memo.texts[this.#index];
    if (kept === undefined) return this.#keep(entry, memo);
    const { misses, values } = kept;
    if (misses >= MAX_MISSES) {
      kept.misses = misses < MAX_MISSES + PAUSE ? misses + 1 : 0;
      return misses === MAX_MISSES + PAUSE ? this.#keep(entry, memo) : this.#render(entry);
    }
    for (let index = 0; index < pieces.length; index++) {
      if ((pieces[index] as SteadyPiece).key(entry) !== values[index]) {
        kept.misses = misses + 1;
        return misses + 1 === MAX_MISSES ? this.#render(entry) : this.#keep(entry, memo);
      }
    }
    kept.misses = 0;
    return kept.text;
  }

  #render(entry: AccessEntry): string {
    const pieces = this.#pieces;
    let text = "";
    for (let index = 0; index < pieces.length; index++) {
      const { literal, render } = pieces[index] as SteadyPiece;
      text += literal + render(entry);
    }
    return text + this.#rest;
  }

  #keep(entry: AccessEntry, memo: LineMemo): string {
    const text = ownCopy(this.#render(entry));
    const values = this.#pieces.map(({ key }) => key(entry));
    if ([text, ...values].some((value) => typeof value === "string" && value.length > MAX_KEPT_LENGTH)) {
      memo.keep(this.#index, { values: [], text: "", misses: MAX_MISSES });
      return text;
    }
    const misses = memo.texts[this.#index]?.misses ?? 0;
    const own = values.map((value) => (typeof value === "string" ? ownCopy(value) : value));
    memo.keep(this.#index, { values: own, text, misses });
    return text;
  }
}

/** For atoms that depend on nothing. */
const NO_REQUEST: AccessEntry = {
  ...{ time: 0, duration: 0, remote: "", method: "", target: "", protocol: "", status: 0, bytes: 0 },
  ...{ id: "", end: "complete", trusted: false },
  requestField: () => undefined,
  responseField: () => undefined,
};
