/**
 * Locates the syntax error in a file that does not compile. Neither compiler reports it in machine-readable form:
 * @oxc-node/core gives a reason without a line, and V8 prints file and line of an ES module only when the process
 * dies of the error. So we compile again here, file by file, and run nothing.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Compilation, firstThatFails } from "./compile-check.ts";
import { isFile } from "./locate.ts";
import { generatedLine, originalLine } from "./source-line.ts";
import {
  compilesTypeScript,
  isTypeScript,
  loadsCommonJs,
  makeTransformer,
  type Transformer,
} from "./typescript.ts";

/** The location and reason of a syntax error in user code. Lines count from 1. */
export interface SyntaxErrorLocation {
  readonly file: string;
  readonly line: number | undefined;
  readonly reason: string;
}

const COMPILER_MESSAGE = /^Failed to (?:parse|transform) (.+?): ([\s\S]*)$/;
/** Limit of files to compile again: the user is waiting for the message. */
const MAX_FILES = 500;

/**
 * Locates `error`, thrown by the import of `entry`. Undefined when it is not a syntax error or its location
 * cannot be determined.
 */
export async function locateSyntaxError(
  error: unknown,
  entry: string,
): Promise<SyntaxErrorLocation | undefined> {
  if (!(error instanceof Error)) return undefined;
  const refused = COMPILER_MESSAGE.exec(error.message);
  if (refused !== null) return await refusedByCompiler(refused[1] as string, refused[2] as string);
  if (!(error instanceof SyntaxError)) return undefined;
  const placed = await placedByStack(error);
  if (placed !== undefined) return placed;
  // Only the compilation of an ES module has no location; for JSON.parse and the like the stack names the caller.
  return /\bcompileSourceTextModule\b/.test(error.stack ?? "")
    ? await placedByCompiling(error, entry)
    : undefined;
}

async function refusedByCompiler(where: string, reason: string): Promise<SyntaxErrorLocation> {
  const file = pathOf(where);
  const firstLine = (reason.split("\n")[0] as string).trim();
  return { file, line: lineOfRefusal(await makeTransformer(), file, reason), reason: firstLine };
}

/**
 * A character that no program may contain. The compiler reports it only if it parses that far, so the last line
 * before which it is reported is the line of the error. The other characters close a comment, template or string
 * that would hide it.
 */
const PROBE = "\u0001*/\u0001`\u0001'\u0001\"\u0001";
const PROBE_REPORTED = /Invalid Character `\u0001`/;

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
    return PROBE_REPORTED.test(
      refusal([...before, PROBE + lines.slice(line - 1).join("\n")].join("\n")) ?? "",
    );
  };
  // Reported even at the end: the parser recovered, or the file ends too soon.
  if (reaches(lines.length + 1)) return lineWhoseRemovalFixes(lines, reason, refusal);
  let reported = 1;
  let unreported = lines.length + 1;
  while (unreported - reported > 1) {
    const middle = (reported + unreported) >> 1;
    if (reaches(middle)) reported = middle;
    else unreported = middle;
  }
  return reported;
}

/** For an error that the parser recovers from (a misplaced `await`): the line whose removal fixes it. */
function lineWhoseRemovalFixes(
  lines: readonly string[],
  reason: string,
  refusal: (text: string) => string | undefined,
): number | undefined {
  if (/\bEOF\b|^Unterminated/.test(reason)) return lines.join("\n").trimEnd().split("\n").length;
  for (const [index, line] of lines.entries()) {
    if (index >= MAX_FILES * 10) return undefined;
    if (line.trim() === "") continue;
    if (refusal(lines.with(index, "").join("\n")) === undefined) return index + 1;
  }
  return undefined;
}

/** For CommonJS and linker errors Node puts `file:line`, the text of the line and a caret before the stack. */
async function placedByStack(error: SyntaxError): Promise<SyntaxErrorLocation | undefined> {
  const [head = "", text = "", caret = ""] = (error.stack ?? "").split("\n", 3);
  const place = /^(\/.+|file:\/\/.+):(\d+)$/.exec(head);
  if (place === null) return undefined;
  const file = pathOf(place[1] as string);
  const line = Number(place[2]);
  const compiled = await compiledSource(file);
  // If the text matches the compiled source, the line number refers to that.
  const counted = compiled !== undefined && generatedLine(compiled.source, line) === text;
  return {
    file,
    line: counted ? originalLine(compiled, line, Math.max(0, caret.indexOf("^"))) : line,
    reason: error.message,
  };
}

/** Compiles the files that `entry` reaches by static imports, until one fails with the same message. */
async function placedByCompiling(
  error: SyntaxError,
  entry: string,
): Promise<SyntaxErrorLocation | undefined> {
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
    if (loadsCommonJs() && isTypeScript(file)) {
      const { commonJsOf } = await import("./commonjs-compiler.ts");
      const compiled = commonJsOf(file);
      if (compiled !== undefined) return compiled;
    }
    const output = (await makeTransformer()).transform(file, readFileSync(file, "utf8"));
    return { file, source: output.source(), map: output.sourceMap() };
  } catch {
    return undefined;
  }
}

const STATIC_IMPORT = /\b(?:import|export)\b[^;'"]*?["'](\.{1,2}\/[^"']*|\/[^"']*)["']/g;

/** The app's own files (no packages) reachable by static imports, nearest first. */
function* reachable(entry: string): Generator<string> {
  const files = new Set([entry]);
  for (const file of files) {
    if (files.size > MAX_FILES) return;
    yield file;
    for (const [, specifier] of readFileSync(file, "utf8").matchAll(STATIC_IMPORT)) {
      const found = sourceOf(resolve(dirname(file), specifier as string));
      if (found !== undefined) files.add(found);
    }
  }
}

/** Resolves an import to a file: as written, or its TypeScript source. */
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
