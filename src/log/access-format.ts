/**
 * The format of the access log: text with atoms, compiled once into one function. If the text around the atoms is
 * JSON, atoms are escaped as JSON, so that every line parses whatever a client sends.
 */
import { ATOMS, type Atom, type LoggedWorker, NAMED_ATOMS } from "./access-atoms.ts";
import type { AccessEntry } from "./access-entry.ts";
import { keptLine, type LinePiece, strictLine } from "./access-line.ts";

/** Formats the line of a request, including the line feed; one character per byte. */
export type LineMaker = (entry: AccessEntry) => string;

/** Formats by name. `combined` is gunicorn's default. */
export const PRESETS: { readonly [name: string]: string } = {
  common: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s',
  combined: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
  json:
    '{"time":%(iso)s,"pid":%(pid)s,"slot":%(slot)s,"id":%(id)s,"remote":%(h)s,"user":%(u)s,"method":%(m)s,' +
    '"target":%(target)s,"protocol":%(H)s,"status":%(s)s,"bytes":%(B)s,"duration":%(ms)s,"referer":%(f)s,' +
    '"userAgent":%(a)s,"traceparent":%(traceparent)s,"end":%(end)s}',
};

/** Returns the name in `names` that was probably meant. */
export type NearestName = (wanted: string, names: readonly string[]) => string | undefined;

/** The format is invalid; the message says what is wrong with it. */
export class AccessFormatError extends Error {
  override readonly name = "AccessFormatError";
}

interface Piece {
  /** The text before the atom. */
  readonly literal: string;
  /** The text between the parentheses. */
  readonly name: string;
}

interface Template {
  readonly pieces: readonly Piece[];
  readonly rest: string;
}

/**
 * Compiles a format or the name of a preset for one worker.
 *
 * @throws AccessFormatError
 */
export function compileAccessFormat(format: string, worker: LoggedWorker, nearest: NearestName): LineMaker {
  const template = parse(Object.hasOwn(PRESETS, format) ? (PRESETS[format] as string) : format);
  const json = isJson(template);
  const pieces: LinePiece[] = [];
  let inString = false;
  for (const { literal, name } of template.pieces) {
    if (json) inString = isInsideString(literal, inString);
    const context = json ? (inString ? "string" : "value") : "text";
    pieces.push({ literal: utf8Bytes(literal), context, ...findAtom(name, worker, nearest) });
  }
  const rest = `${utf8Bytes(template.rest)}\n`;
  const strict = strictLine(pieces, rest);
  const kept = keptLine(pieces, rest);
  return (entry) => {
    const { memo } = entry;
    // Without a whole request line there are dashes in its place.
    const isPlain = memo !== undefined && entry.target !== "" && entry.protocol !== "";
    return isPlain ? kept(entry, memo) : strict(entry);
  };
}

/** The text's UTF-8 bytes, one character per byte. */
function utf8Bytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function parse(format: string): Template {
  if (/[\r\n]/.test(format)) throw new AccessFormatError("a format is one line");
  const pieces: Piece[] = [];
  let literal = "";
  let at = 0;
  for (;;) {
    const percent = format.indexOf("%", at);
    if (percent === -1) return { pieces, rest: literal + format.slice(at) };
    literal += format.slice(at, percent);
    if (format[percent + 1] === "%") {
      literal += "%";
      at = percent + 2;
      continue;
    }
    const match = /^%\((\{[^}]*\}.|[^){]*)\)s/.exec(format.slice(percent));
    if (match === null) {
      const shown = format.slice(percent, percent + 12);
      throw new AccessFormatError(`${shown} is not an atom: write %(name)s, and %% for a percent sign`);
    }
    pieces.push({ literal, name: match[1] as string });
    literal = "";
    at = percent + match[0].length;
  }
}

/** Whether the format is a JSON object once values replace its atoms. */
function isJson({ pieces, rest }: Template): boolean {
  const example = pieces.map(({ literal }) => `${literal}0`).join("") + rest;
  if (!example.startsWith("{")) return false;
  try {
    JSON.parse(example);
    return true;
  } catch {
    return false;
  }
}

/** Whether a JSON string is still open after `text`; `before` is the state at its start. */
function isInsideString(text: string, before: boolean): boolean {
  let inside = before;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\" && inside) at += 1;
    else if (text[at] === '"') inside = !inside;
  }
  return inside;
}

function findAtom(
  name: string,
  worker: LoggedWorker,
  nearest: NearestName,
): Omit<LinePiece, "literal" | "context"> {
  const named = /^\{([^}]+)\}(.)$/.exec(name);
  const makeAtom = named === null ? undefined : NAMED_ATOMS[named[2] as string];
  const atom: Atom | undefined =
    named !== null && makeAtom !== undefined
      ? makeAtom(named[1] as string, worker)
      : Object.hasOwn(ATOMS, name)
        ? ATOMS[name]
        : undefined;
  if (atom === undefined) throw new AccessFormatError(`there is no atom %(${name})s${hint(name, nearest)}`);
  const { nature, dependsOn, parts } = atom;
  return { read: atom.reader(worker), nature, dependsOn, parts };
}

function hint(name: string, nearest: NearestName): string {
  if (name.startsWith("{")) {
    return ": %({field}i)s is a field of the request, %({field}o)s of the answer, %({NAME}e)s a variable";
  }
  const meanings = new Map<string, string>();
  for (const [atom, { words }] of Object.entries(ATOMS)) {
    for (const word of [...words, atom]) meanings.set(word, atom);
  }
  const meant = meanings.get(nearest(name, [...meanings.keys()]) ?? "");
  if (meant === undefined)
    return `: there are ${Object.keys(ATOMS).join(", ")}, and {name}i, {name}o, {name}e`;
  return `; did you mean %(${meant})s?`;
}
