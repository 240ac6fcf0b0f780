/**
 * Evaluates the user's module: the only place where app code starts to run. Uses `import()`, which loads ES
 * modules and CommonJS alike.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Location } from "./locate.ts";
import { expectCommonJs, isTypeScript, registerTypeScript } from "./typescript.ts";

/** The result of `import()`. */
export type ModuleNamespace = Readonly<Record<string, unknown>>;

export interface ImportOptions {
  /** Appended to the URL: Node caches each query as a module of its own. */
  readonly query?: string;
  /** Called before the module is loaded, after the compiler is registered if it needs one. */
  prepare?(): void;
  /** The module is part of the app: TypeScript may be CommonJS. Otherwise it is an ES module. */
  readonly isApp?: boolean;
  /** The module is run as by `node FILE`. */
  readonly isMain?: boolean;
}

/** Imports `location`. Rejects with whatever the module or its imports throw. */
export async function importModule(
  location: Location,
  options: ImportOptions = {},
): Promise<ModuleNamespace> {
  if (location.kind === "package") return await importPackage(location.name, location.from, options);
  if (isTypeScript(location.file)) {
    await registerTypeScript();
    if (options.isApp === true && expectCommonJs()) {
      const { registerCommonJs } = await import("./commonjs-typescript.ts");
      await registerCommonJs();
    }
  }
  options.prepare?.();
  if (options.isApp === true) {
    const { runAsImport, runAsMain } = await import("./main-module.ts");
    return await (options.isMain === true ? runAsMain(location.file) : runAsImport(location.file));
  }
  return await import(`${pathToFileURL(location.file).href}${options.query ?? ""}`);
}

/**
 * Resolves a package from the user's folder instead of tsgun's own. `require.resolve` does not find packages
 * that are ES modules only, so a script whose file name lies in that folder imports them.
 */
async function importPackage(name: string, from: string, options: ImportOptions): Promise<ModuleNamespace> {
  const { query = "" } = options;
  const referrer = join(from, "[app]");
  let file: string;
  try {
    file = createRequire(referrer).resolve(name);
  } catch (error) {
    const { constants, Script } = await import("node:vm");
    const { USE_MAIN_CONTEXT_DEFAULT_LOADER: context } = (constants ?? {}) as Partial<typeof constants>;
    if ((error as { code?: unknown }).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED" || context === undefined)
      throw error;
    options.prepare?.();
    const filename = query === "" ? referrer : `${pathToFileURL(referrer).href}${query}`;
    const script = new Script("(name) => import(name)", { filename, importModuleDynamically: context });
    return await (script.runInThisContext() as (name: string) => Promise<ModuleNamespace>)(name);
  }
  return await importModule({ kind: "file", file, shown: name }, options);
}
