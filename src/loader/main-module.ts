/**
 * Runs the app's file as `node FILE` does: it is the process's main module. So `require.main === module` and
 * `import.meta.main` hold, and `process.argv` has the file and none of tsgun's own options.
 */
import { readFileSync } from "node:fs";
import nodeModule from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import { packageType } from "./package-type.ts";
import { isTypeScript } from "./typescript.ts";

type Namespace = Readonly<Record<string, unknown>>;

/** Node internals that its types do not declare. */
interface ModuleInternals {
  _load(file: string, parent: object | null, isMain: boolean): unknown;
  _nodeModulePaths(folder: string): string[];
}

/** Evaluates `file` as the main module and gives what `import()` would. Rejects with whatever it throws. */
export async function runAsMain(file: string): Promise<Namespace> {
  process.argv = [process.argv[0] as string, file];
  const isCommonJs = isTypeScript(file) ? await isCommonJsTypeScript(file) : isCommonJsScript(file);
  if (isCommonJs) return await requireApp(file, null);
  const url = pathToFileURL(file).href;
  if (!("main" in import.meta) || !/\bimport\.meta\.main\b/.test(readFileSync(file, "utf8")))
    return await import(url);
  const { importAsMain } = await import("./import-as-main.ts");
  return await importAsMain(url);
}

/**
 * Evaluates `file` for its exports, as a test does that imports it: another module is the main one. That one has the
 * file's name, since apps find their folder by `require.main.filename`.
 */
export async function runAsImport(file: string): Promise<Namespace> {
  const isCommonJs = isTypeScript(file) ? await isCommonJsTypeScript(file) : isCommonJsScript(file);
  if (!isCommonJs) return await import(pathToFileURL(file).href);
  const { _nodeModulePaths: pathsOf } = nodeModule as unknown as ModuleInternals;
  const main = Object.assign(new nodeModule.Module(file), { filename: file, paths: pathsOf(dirname(file)) });
  process.mainModule = main;
  return await requireApp(file, main);
}

/** @param parent null for the main module */
async function requireApp(file: string, parent: object | null): Promise<Namespace> {
  const { _load: load } = nodeModule as unknown as ModuleInternals;
  const exported = load(file, parent, parent === null);
  // Node's lexer finds the names of JavaScript's exports; the module is loaded by now.
  return isTypeScript(file) ? { default: exported } : await import(pathToFileURL(file).href);
}

async function isCommonJsTypeScript(file: string): Promise<boolean> {
  const { commonJsOf } = await import("./commonjs-compiler.ts");
  return commonJsOf(file) !== undefined;
}

/** Whether a JavaScript file is CommonJS. A file that is broken counts as none: `import()` tells what is wrong. */
function isCommonJsScript(file: string): boolean {
  if (/\.[cm]js$/.test(file)) return file.endsWith(".cjs");
  const type = packageType(dirname(file));
  if (type !== undefined) return type === "commonjs";
  const source = readFileSync(file, "utf8").replace(/^#!.*/, "");
  try {
    // Node decides by the syntax as well.
    compileFunction(source, ["exports", "require", "module", "__filename", "__dirname"]);
    return true;
  } catch {
    return false;
  }
}
