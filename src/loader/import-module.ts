/**
 * Evaluates the user's module: the one place where code of the app starts to run. Always by `import()`,
 * which takes ES modules and CommonJS alike.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Location } from "./locate.ts";
import { isTypeScript, registerTypeScript } from "./typescript.ts";

/** What `import()` gives. */
export type ModuleNamespace = Readonly<Record<string, unknown>>;

export interface ImportOptions {
  /** Behind the URL: the module is imported apart from any import of it with another one. */
  readonly query?: string;
  /** Called before anything of the module is loaded, behind the compiler if it needs one. */
  prepare?(): void;
}

/** Imports what `locate` found. Rejects with whatever the module or its imports throw. */
export async function importModule(
  location: Location,
  options: ImportOptions = {},
): Promise<ModuleNamespace> {
  if (location.kind === "package") return await importPackage(location.name, location.from, options);
  if (isTypeScript(location.file)) await registerTypeScript();
  options.prepare?.();
  return await import(`${pathToFileURL(location.file).href}${options.query ?? ""}`);
}

/**
 * Resolves a package from the user's folder instead of from tsgun's own. Packages for ES modules only
 * are hidden from `require.resolve`: a script that pretends to lie there imports them.
 */
async function importPackage(name: string, from: string, options: ImportOptions): Promise<ModuleNamespace> {
  const { query = "" } = options;
  const asking = join(from, "[app]");
  let file: string;
  try {
    file = createRequire(asking).resolve(name);
  } catch (error) {
    const { constants, Script } = await import("node:vm");
    const { USE_MAIN_CONTEXT_DEFAULT_LOADER: context } = (constants ?? {}) as Partial<typeof constants>;
    if ((error as { code?: unknown }).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED" || context === undefined)
      throw error;
    options.prepare?.();
    const filename = query === "" ? asking : `${pathToFileURL(asking).href}${query}`;
    const script = new Script("(name) => import(name)", { filename, importModuleDynamically: context });
    return await (script.runInThisContext() as (name: string) => Promise<ModuleNamespace>)(name);
  }
  return await importModule({ kind: "file", file, shown: name }, options);
}
