/**
 * Has `require` load TypeScript that is CommonJS. The extensions are those of Node's own table, which every compiler
 * and instrumentation uses; what is no CommonJS goes on to the compiler before.
 */
import nodeModule from "node:module";
import { programUrl } from "../ipc/programs.ts";
import { commonJsOf, withMap } from "./commonjs-compiler.ts";
import { declaredFormat, isOfPackage } from "./module-format.ts";
import { hasSyncHooks } from "./sync-hooks.ts";
import { sourceOf } from "./typescript-resolve.ts";

interface CompilingModule {
  _compile(code: string, file: string, format?: string): void;
}

type Extension = (module: CompilingModule, file: string) => void;

/** Node internals that its types do not declare. */
interface ModuleInternals {
  readonly _extensions: { [extension: string]: Extension };
  _resolveFilename(request: string, parent: { filename?: string } | undefined, ...rest: unknown[]): string;
}

/** Hooks that need no thread. */
interface SyncHooks {
  registerHooks?(hooks: { load: unknown }): unknown;
}

const COMPILED = [".ts", ".tsx", ".cts"];

/** Registers with `require` and `import`. Call it once, after the other compiler, whose entries it wraps. */
export async function registerCommonJs(): Promise<void> {
  const internals = nodeModule as unknown as ModuleInternals;
  for (const extension of COMPILED) {
    const before = internals._extensions[extension] as Extension;
    internals._extensions[extension] = (module, file) => {
      const compiled = commonJsOf(file);
      if (compiled !== undefined) module._compile(withMap(compiled), file, "commonjs");
      else if (isOfPackage(file) || declaredFormat(file) !== "commonjs") before(module, file);
      else throw new Error(`${file} has a top-level await, so require() cannot load it: use await import()`);
    };
  }
  const find = internals._resolveFilename;
  internals._resolveFilename = function (request, parent, ...rest) {
    const found = sourceOf(request, parent?.filename);
    return found ?? withDeepStacks(() => find.call(this, request, parent, ...rest));
  };
  if (hasSyncHooks()) {
    const { loadSync } = await import("./commonjs-facade.ts");
    (nodeModule as SyncHooks).registerHooks?.({ load: loadSync });
  } else {
    nodeModule.register(programUrl("loader/commonjs-facade"), import.meta.url);
  }
}

/** Frames of Node and of the compilers between a `require` and the search for its file. */
const INNER_FRAMES = 12;

/** Node's limit of ten frames leaves none for the file that requires what is missing. */
function withDeepStacks<T>(search: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = stackTraceLimit + INNER_FRAMES;
  try {
    return search();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
