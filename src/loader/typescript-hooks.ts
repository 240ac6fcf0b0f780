/**
 * Registers @oxc-node/core with `import` and `require`. Its own `register` does the same at ten times the cost: it starts
 * a thread for its hooks on every Node before 26.2 (25 ms and 20 MB in each worker). The defects that it avoids by this
 * were mended in 24.5 and 22.19, or concern CommonJS whose source a hook returns, and these hooks return none.
 */
import * as nodeModule from "node:module";
import { pathToFileURL } from "node:url";
import { OWN_FOLDER, programUrl, RUNS_SOURCE } from "../ipc/programs.ts";
import { HELPERS, helperOf, loadOxc, type Oxc, requireOfOxc } from "./oxc.ts";
import { hasSyncHooks } from "./sync-hooks.ts";

/** Node internals that its types do not declare. */
interface ModuleInternals {
  _resolveFilename(request: string, ...rest: unknown[]): string;
}

interface LoadResult {
  readonly format?: string;
  readonly source?: unknown;
  readonly responseURL?: string;
}

interface HookContext {
  readonly parentURL?: string;
  /** Undefined for `require`. */
  readonly importAttributes?: object;
}

type Next<Result> = (asked: string, context?: object) => Result;

interface SyncHooks {
  registerHooks?(hooks: {
    resolve(specifier: string, context: HookContext, next: Next<{ url: string }>): { url: string };
    load(url: string, context: HookContext, next: Next<LoadResult>): LoadResult;
  }): void;
  setSourceMapsSupport?(enabled: boolean, options: object): void;
}

/** pirates, by which compilers share the extensions of `require`. */
interface Pirates {
  addHook(
    compile: (code: string, file: string) => string,
    options: { ext: readonly string[]; ignoreNodeModules: boolean; matcher(file: string): boolean },
  ): void;
}

const REGISTER = "@oxc-node/core/register";
const EXTENSIONS = [".js", ".jsx", ".ts", ".tsx", ".mjs", ".mts", ".cjs", ".cts", ".es6", ".es"];
const OF_PACKAGE = /^(?:.*[\\/])?node_modules(?:[\\/].*)?$/;

/** Where each copy of the compiler that is registered says how its helpers are found. */
const REGISTERED = Symbol.for("@oxc-node/core:helperResolvers");

/** Registers it, once per process. Rejects if it cannot be loaded. */
export async function registerHooks(): Promise<void> {
  if (REGISTERED in globalThis) {
    // By NODE_OPTIONS, for example. The same copy registers once, and must not compile what it has compiled.
    await import(REGISTER);
    return;
  }
  const oxc = loadOxc();
  const { setSourceMapsSupport } = nodeModule as SyncHooks;
  if (setSourceMapsSupport !== undefined)
    setSourceMapsSupport(true, { nodeModules: true, generatedCode: true });
  else process.setSourceMapsEnabled(true);
  registerHelpers();
  registerRequire(oxc);
  if (hasSyncHooks()) {
    oxc.initTracing();
    registerInThread(oxc);
  } else nodeModule.register(programUrl("loader/typescript-thread"), import.meta.url);
}

/** Compiled code of ours finds its helpers, also where another copy of the compiler is registered, which asks here. */
function registerHelpers(): void {
  const realm = globalThis as { [REGISTERED]?: { [tag: string]: (path: string) => string | undefined } };
  realm[REGISTERED] = { tsgun: (path) => helperOf(`${HELPERS}/${path}`) };
  const internals = nodeModule.default as unknown as ModuleInternals;
  const find = internals._resolveFilename;
  internals._resolveFilename = function (request, ...rest) {
    return helperOf(request) ?? find.call(this, request, ...rest);
  };
}

function registerRequire(oxc: Oxc): void {
  const transformer = new oxc.OxcTransformer(process.cwd(), HELPERS);
  const compile = (code: string, file: string): string => {
    const output = transformer.transform(file, code);
    const map = output.sourceMap();
    if (map === null) return output.source();
    const encoded = Buffer.from(map).toString("base64");
    return `${output.source()}\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,${encoded}`;
  };
  (requireOfOxc("pirates") as Pirates).addHook(compile, {
    ext: EXTENSIONS,
    ignoreNodeModules: false,
    matcher: (file) => !OF_PACKAGE.test(file) || oxc.transformsDep(file),
  });
}

function registerInThread(oxc: Oxc): void {
  const isRequire = (context: HookContext): boolean => context.importAttributes === undefined;
  // A chunk of ours that is imported later; from source, the compiler is needed for it.
  const isOwn = (specifier: string, from = ""): boolean =>
    !RUNS_SOURCE && from.startsWith(OWN_FOLDER.href) && /^\.{1,2}\//.test(specifier);
  (nodeModule as SyncHooks).registerHooks?.({
    resolve(specifier, context, next) {
      if (isRequire(context) || isOwn(specifier, context.parentURL)) return next(specifier, context);
      const helper = helperOf(specifier);
      if (helper !== undefined) return next(pathToFileURL(helper).href, context);
      return oxc.createResolve({ getCurrentDirectory: () => process.cwd() }, specifier, context, next);
    },
    load(url, context, next) {
      if (isRequire(context) || (!RUNS_SOURCE && url.startsWith(OWN_FOLDER.href))) return next(url, context);
      const result = oxc.load(url, context, next, HELPERS);
      // Node reads CommonJS itself: where a hook has read it, its `require` is a poorer one before 26.2.
      return result.format === "commonjs" && result.source == null
        ? { format: result.format, source: null, responseURL: result.responseURL ?? url }
        : result;
    },
  });
}
