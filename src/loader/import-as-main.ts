/** Imports an ES module that asks `import.meta.main`, which Node answers for the file on its own command line only. */
import * as nodeModule from "node:module";

interface LoadResult {
  readonly format?: string;
  readonly source?: unknown;
}

/** Every Node that has `import.meta.main` has these hooks. */
interface SyncHooks {
  registerHooks(hooks: {
    load(url: string, context: object, next: (url: string, context: object) => LoadResult): LoadResult;
  }): { deregister(): void };
}

/** Imports `url` with `import.meta.main` set to true. */
export async function importAsMain(url: string): Promise<Readonly<Record<string, unknown>>> {
  const hooks = (nodeModule as unknown as SyncHooks).registerHooks({
    load: (loaded, context, next) => {
      const result = next(loaded, context);
      // Before Node 26.2, CommonJS whose source comes from a hook cannot require; without one, Node reads it itself.
      if (result.format === "commonjs") return { ...result, source: null };
      return loaded === url && result.format === "module" ? asMain(result) : result;
    },
  });
  try {
    return await import(url);
  } finally {
    hooks.deregister();
  }
}

/** On the first line, so that the lines of stack traces stay. */
function asMain(result: LoadResult): LoadResult {
  const { source } = result;
  const text = typeof source === "string" ? source : new TextDecoder().decode(source as Uint8Array);
  return { ...result, source: `import.meta.main = true; ${text.replace(/^#!.*/, "")}` };
}
