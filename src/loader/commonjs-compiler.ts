/**
 * Compiles TypeScript to CommonJS as tsc does with the options of the project: hoisted exports with live bindings,
 * `import =`, `export =`, decorators with metadata, `esModuleInterop`. @oxc-node/core, which compiles ES modules, has no
 * such output, and the project's own TypeScript takes twenty times the CPU time; see docs/architecture.md.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";
import { ExitCode, FatalError } from "../errors.ts";
import { denialOf } from "../native/permission-model.ts";
import type { Compilation } from "./compile-check.ts";
import { declaredFormat, isOfPackage, usesCommonJs } from "./module-format.ts";
import { type CompilerOptions, type Project, projectOf } from "./tsconfig.ts";

const COMPILER = "@swc/core";

/** The part of @swc/core that we use. */
interface Compiler {
  transformSync(source: string, options: object): { readonly code: string; readonly map?: string };
}

const require = createRequire(import.meta.url);
let loaded: Compiler | undefined;

/** Compiles `file` if it is CommonJS; undefined if it is an ES module. Throws on a syntax error. */
export function commonJsOf(file: string): Compilation | undefined {
  if (isOfPackage(file)) return undefined;
  const declared = declaredFormat(file);
  if (declared === "module") return undefined;
  const source = readFileSync(file, "utf8");
  if (declared === undefined && !usesCommonJs(source)) return undefined;
  const compiled = compile(file, source);
  return !file.endsWith(".cts") && awaitsAtTopLevel(compiled.source) ? undefined : compiled;
}

/** CommonJS cannot wait. No compiler refuses such a file, so that the one for ES modules can have it. */
function awaitsAtTopLevel(code: string): boolean {
  if (!mayAwaitAtTopLevel(code)) return false;
  try {
    new Script(`(function () {${code}\n})`);
    return false;
  } catch (error) {
    // "await is only valid in async functions and the top level bodies of modules", or "Unexpected reserved word".
    return /\bawait\b|reserved word/.test((error as Error).message);
  }
}

/** Spares most files the second compilation: the compiler indents what is inside a function, class or block. */
function mayAwaitAtTopLevel(code: string): boolean {
  let outermost = "";
  for (const [line] of code.matchAll(/^(?:[^\s}].*|.*\bawait\b.*)$/gm)) {
    const isOutermost = !line.startsWith(" ");
    if (isOutermost) outermost = line;
    if (!/\bawait\b/.test(line)) continue;
    if (isOutermost ? !/^async function\b/.test(line) : !/\b(?:function|class)\b|=>/.test(outermost))
      return true;
  }
  return false;
}

/** Compiles an ES module that has `import x = require()`. Throws on a syntax error. */
export function compileModule(file: string, source: string): Compilation {
  return compile(file, source, { type: "nodenext" });
}

/** The code of `compiled` with its source map. */
export function withMap({ source, map }: Compilation): string {
  const encoded = Buffer.from(map ?? "").toString("base64");
  return `${source}\n//# sourceMappingURL=data:application/json;base64,${encoded}`;
}

function compile(file: string, source: string, module?: object): Compilation {
  const project = projectOf(dirname(file));
  const options = { ...settings(file, project), module: module ?? commonJs(project) };
  try {
    const { code, map = null } = compiler(file).transformSync(source, options);
    return { file, source: code, map: map === null ? null : withRequires(code, map) };
  } catch (error) {
    throw error instanceof FatalError ? error : syntaxError(file, source, error as Error);
  }
}

const MAPPINGS = /(?<="mappings":")[^"]*/;
/** The numbers of a segment, in the digits of source maps: those from `g` on have more digits after them. */
const FIRST_SEGMENT = /^([g-z0-9+/]*[A-Za-f])((?:[g-z0-9+/]*[A-Za-f]){3})/;

/**
 * Maps the start of a line with a `require` to what the compiler maps its argument to, the line of the import. Without
 * that, a file that fails to load is reported at a line before.
 */
function withRequires(code: string, map: string): string {
  return map.replace(MAPPINGS, (mappings) => {
    const lines = mappings.split(";");
    let line = 0;
    let counted = 0;
    for (const { index } of code.matchAll(
      /^(?:const |_export_star\(|require\().*\brequire\("|^require\("/gm,
    )) {
      for (; counted < index; counted += 1) if (code.charCodeAt(counted) === NEWLINE) line += 1;
      lines[line] = lines[line]?.replace(FIRST_SEGMENT, (_, column, place) => `A${place},${column}AAA`) ?? "";
    }
    return lines.join(";");
  });
}

const NEWLINE = 10;

function compiler(file: string): Compiler {
  try {
    loaded ??= require(COMPILER) as Compiler;
    return loaded;
  } catch (cause) {
    const denial = denialOf(cause);
    if (denial !== undefined)
      throw new FatalError(
        `cannot load ${COMPILER}, which compiles ${file} to CommonJS: ${denial}, or serve what tsc compiles`,
        ExitCode.appLoad,
        { cause },
      );
    throw new FatalError(
      `cannot load ${COMPILER}, which compiles ${file} to CommonJS: ${(cause as Error).message.split("\n")[0]}; reinstall ` +
        'tsgun with its optional dependencies, set "type": "module" in package.json, or serve what tsc compiles',
      ExitCode.appLoad,
      { cause },
    );
  }
}

function settings(file: string, { options, typescript }: Project): object {
  const { verbatimModuleSyntax = false } = options;
  const { experimentalDecorators = false, emitDecoratorMetadata = false } = options;
  return {
    filename: file,
    swcrc: false,
    configFile: false,
    sourceMaps: true,
    inlineSourcesContent: false,
    jsc: {
      target: "es2022",
      parser: { syntax: "typescript", tsx: file.endsWith("x"), decorators: true },
      transform: {
        legacyDecorator: experimentalDecorators,
        decoratorMetadata: experimentalDecorators && emitDecoratorMetadata,
        ...(!experimentalDecorators && { decoratorVersion: "2022-03" }),
        useDefineForClassFields: definesFields(options, typescript),
        verbatimModuleSyntax,
        react: react(options),
      },
    },
  };
}

function commonJs({ options, typescript }: Project): object {
  return {
    type: "commonjs",
    // As tsc: `import()` stays only where the output may import ES modules.
    ignoreDynamic: !/^commonjs$/i.test(options.module ?? ""),
    importInterop: interoperates(options, typescript) ? "swc" : "none",
  };
}

/** The default of `useDefineForClassFields`. */
function definesFields(options: CompilerOptions, typescript: number | undefined): boolean {
  const { useDefineForClassFields, target } = options;
  if (useDefineForClassFields !== undefined) return useDefineForClassFields;
  if (target === undefined) return typescript === undefined || typescript > 5;
  return /^es(?:next|202[2-9]|20[3-9]\d)$/i.test(target);
}

/** The default of `esModuleInterop`: true since TypeScript 6, and where the output is for Node. */
function interoperates(
  { esModuleInterop, module }: CompilerOptions,
  typescript: number | undefined,
): boolean {
  if (esModuleInterop !== undefined) return esModuleInterop;
  return typescript === undefined || typescript > 5 || !/^(?:commonjs|none)$/i.test(module ?? "commonjs");
}

function react(options: CompilerOptions): object {
  const { jsx = "", jsxFactory, jsxFragmentFactory, jsxImportSource } = options;
  return {
    runtime: /^react-jsx/i.test(jsx) ? "automatic" : "classic",
    development: /^react-jsxdev$/i.test(jsx),
    ...(jsxFactory && { pragma: jsxFactory }),
    ...(jsxFragmentFactory && { pragmaFrag: jsxFragmentFactory }),
    ...(jsxImportSource && { importSource: jsxImportSource }),
  };
}

const REASON = /^\s*[x×]\s+(.+)$/m;
const PLACE = /\[(?:.+):(\d+):\d+\]/;

/** An error of the form that V8 gives to a syntax error in CommonJS. */
function syntaxError(file: string, source: string, cause: Error): SyntaxError {
  const reason = REASON.exec(cause.message)?.[1] ?? (cause.message.split("\n")[0] as string);
  const line = Number(PLACE.exec(cause.message)?.[1] ?? 1);
  const error = new SyntaxError(reason, { cause });
  error.stack = `${file}:${line}\n${source.split("\n")[line - 1] ?? ""}\n^\n\n${error.stack}`;
  return error;
}
