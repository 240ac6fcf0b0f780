/**
 * Runs the app's file as `node FILE` does: it is the process's main module. So `require.main === module` holds, and
 * `process.argv` has the file and none of tsgun's own options.
 */
import { readFileSync } from "node:fs";
import nodeModule from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import { packageType } from "./package-type.ts";
import { isTypeScript } from "./typescript.ts";

/** Node internals that its types do not declare. */
interface ModuleInternals {
  _load(file: string, parent: null, isMain: boolean): unknown;
}

/** Evaluates `file` and gives what `import()` would. Rejects with whatever it throws. */
export async function runAsMain(file: string): Promise<Readonly<Record<string, unknown>>> {
  process.argv = [process.argv[0] as string, file];
  const { _load: load } = nodeModule as unknown as ModuleInternals;
  if (isTypeScript(file)) {
    const { commonJsOf } = await import("./commonjs-compiler.ts");
    if (commonJsOf(file) !== undefined) return { default: load(file, null, true) };
  } else if (isCommonJs(file)) load(file, null, true);
  // For CommonJS, this finds the module that is loaded by now.
  return await import(pathToFileURL(file).href);
}

/** Whether a JavaScript file is CommonJS. A file that is broken counts as none: `import()` tells what is wrong. */
function isCommonJs(file: string): boolean {
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
