/**
 * Where a file that does not compile is wrong. Neither compiler says it in a way that a program can read:
 * @oxc-node/core gives a reason without a line, V8 keeps file and line of an ES module to itself until the
 * process dies of the error. So the question is asked again here, file by file, and nothing is run.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Compilation, firstThatFails } from "./compile-check.ts";
import { isFile } from "./locate.ts";
import { generatedLine, originalLine } from "./source-line.ts";
import { compilesTypeScript, isTypeScript, makeTransformer, type Transformer } from "./typescript.ts";

/** A place in the user's code that does not compile, and why. Lines count from 1. */
export interface SyntaxTrouble {
  readonly file: string;
  readonly line: number | undefined;
  readonly reason: string;
}

const COMPILER_MESSAGE = /^Failed to (?:parse|transform) (.+?): ([\s\S]*)$/;
/** More files than this are not asked again: the answer must come while somebody waits for it. */
const FILES_AT_MOST = 500;

/**
 * The place that `error`, thrown by the import of `entry`, is about. Undefined when the error is not one
 * of syntax or the place cannot be told.
 */
export async function locateSyntaxError(error: unknown, entry: string): Promise<SyntaxTrouble | undefined> {
  if (!(error instanceof Error)) return undefined;
  const refused = COMPILER_MESSAGE.exec(error.message);
  if (refused !== null) return await refusedByCompiler(refused[1] as string, refused[2] as string);
  if (!(error instanceof SyntaxError)) return undefined;
  const placed = await placedByStack(error);
  if (placed !== undefined) return placed;
  // Only the compilation of an ES module leaves no trace; JSON.parse and the like have a caller to blame.
  return /\bcompileSourceTextModule\b/.test(error.stack ?? "")
    ? await placedByCompiling(error, entry)
    : undefined;
}

async function refusedByCompiler(where: string, reason: string): Promise<SyntaxTrouble> {
  const file = pathOf(where);
  const firstLine = (reason.split("\n")[0] as string).trim();
  return { file, line: lineOfRefusal(await makeTransformer(), file, reason), reason: firstLine };
}

/**
 * The compiler reports a character that no program may contain only when it gets that far, so the last
 * line before which it does is the line of the error. The probe closes what a comment, a template or a
 * string would hide it in.
 */
const PROBE = "\u0001*/\u0001`\u0001'\u0001\"\u0001";
const PROBE_SEEN = /Invalid Character `\u0001`/;

function lineOfRefusal(transformer: Transformer, file: string, reason: string): number | undefined {
  const lines = readFileSync(file, "utf8").split("\n");
  const refusal = (text: string): string | undefined => {
    try {
      transformer.transform(file, text);
      return undefined;
    } catch (error) {
      return COMPILER_MESSAGE.exec((error as Error).message)?.[2];
    }
  };
  if (refusal(lines.join("\n")) !== reason) return undefined;
  const reaches = (line: number): boolean => {
    const before = lines.slice(0, line - 1);
    return PROBE_SEEN.test(refusal([...before, PROBE + lines.slice(line - 1).join("\n")].join("\n")) ?? "");
  };
  // Seen even at the end: the parser went on, or the file ends too soon.
  if (reaches(lines.length + 1)) return lineThatHeals(lines, reason, refusal);
  let seen = 1;
  let unseen = lines.length + 1;
  while (unseen - seen > 1) {
    const middle = (seen + unseen) >> 1;
    if (reaches(middle)) seen = middle;
    else unseen = middle;
  }
  return seen;
}

/** For an error that the parser gets over (an `await` out of place): the line without which it is gone. */
function lineThatHeals(
  lines: readonly string[],
  reason: string,
  refusal: (text: string) => string | undefined,
): number | undefined {
  if (/\bEOF\b|^Unterminated/.test(reason)) return lines.join("\n").trimEnd().split("\n").length;
  for (const [index, line] of lines.entries()) {
    if (index >= FILES_AT_MOST * 10) return undefined;
    if (line.trim() === "") continue;
    if (refusal(lines.with(index, "").join("\n")) === undefined) return index + 1;
  }
  return undefined;
}

/** CommonJS and the linker put `file:line`, the text of the line and a caret before the stack. */
async function placedByStack(error: SyntaxError): Promise<SyntaxTrouble | undefined> {
  const [head = "", text = "", caret = ""] = (error.stack ?? "").split("\n", 3);
  const place = /^(\/.+|file:\/\/.+):(\d+)$/.exec(head);
  if (place === null) return undefined;
  const file = pathOf(place[1] as string);
  const line = Number(place[2]);
  const compiled = await compiledSource(file);
  // A line that reads as in the compiled source counts in it.
  const counted = compiled !== undefined && generatedLine(compiled.source, line) === text;
  return {
    file,
    line: counted ? originalLine(compiled, line, Math.max(0, caret.indexOf("^"))) : line,
    reason: error.message,
  };
}

/** Compiles every file that `entry` reaches by static imports, until one fails as the import did. */
async function placedByCompiling(error: SyntaxError, entry: string): Promise<SyntaxTrouble | undefined> {
  const compilations: Compilation[] = [];
  for (const file of reachable(entry)) {
    compilations.push(
      (await compiledSource(file)) ?? { file, source: readFileSync(file, "utf8"), map: null },
    );
  }
  const failed = await firstThatFails(compilations, error.message);
  if (failed === undefined) return undefined;
  return {
    file: failed.compilation.file,
    line: originalLine(failed.compilation, failed.line, failed.column),
    reason: error.message,
  };
}

async function compiledSource(file: string): Promise<Compilation | undefined> {
  if (!compilesTypeScript() || /\/node_modules\//.test(file)) return undefined;
  try {
    const output = (await makeTransformer()).transform(file, readFileSync(file, "utf8"));
    return { file, source: output.source(), map: output.sourceMap() };
  } catch {
    return undefined;
  }
}

const STATIC_IMPORT = /\b(?:import|export)\b[^;'"]*?["'](\.{1,2}\/[^"']*|\/[^"']*)["']/g;

/** The files of the app itself (no packages) that its static imports lead to, nearest first. */
function* reachable(entry: string): Generator<string> {
  const files = new Set([entry]);
  for (const file of files) {
    if (files.size > FILES_AT_MOST) return;
    yield file;
    for (const [, specifier] of readFileSync(file, "utf8").matchAll(STATIC_IMPORT)) {
      const found = sourceOf(resolve(dirname(file), specifier as string));
      if (found !== undefined) files.add(found);
    }
  }
}

/** The file that an import means: as written, or the TypeScript that stands behind it. */
function sourceOf(path: string): string | undefined {
  const behind = path.replace(/\.([mc]?)js$/, ".$1ts");
  const candidates = [
    path,
    behind,
    `${path}.ts`,
    `${path}.tsx`,
    `${path}.js`,
    `${path}/index.ts`,
    `${path}/index.js`,
  ];
  return candidates.find((file) => (isTypeScript(file) || /\.[mc]?js$/.test(file)) && isFile(file));
}

function pathOf(where: string): string {
  return where.startsWith("file://") ? fileURLToPath(where.replace(/\?.*$/, "")) : where;
}
