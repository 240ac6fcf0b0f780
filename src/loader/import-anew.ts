/**
 * Re-imports a file and the user's files that it imports; packages stay cached. Node never frees earlier readings:
 * about 10 kB for a small file, so use this only for files that change rarely.
 */
import * as nodeModule from "node:module";
import { programUrl } from "../ipc/programs.ts";
import { requireDescriptors } from "../native/descriptors.ts";
import { importModule, type ModuleNamespace } from "./import-module.ts";
import type { Location } from "./locate.ts";
import { loadsCommonJs } from "./typescript.ts";

const { cache } = nodeModule.createRequire(import.meta.url);

/** Node ≥ 22.15 has hooks that need no thread. */
interface SyncHooks {
  registerHooks?(hooks: { resolve: unknown }): unknown;
}

/** Descriptors required before starting the hook thread: more than it opens. */
const THREAD_DESCRIPTORS = 8;

/** Number of readings so far; the first one is unmarked. */
let readings = 0;
/** The user's CommonJS modules that the last reading loaded. */
let required: readonly string[] = [];

/**
 * Imports the current content of `location`. Not reentrant. Rejects with whatever the module or its imports throw.
 */
export async function importAnew(location: Location): Promise<ModuleNamespace> {
  // The mark also says that the file is an ES module, where TypeScript of the app may be CommonJS.
  const mark = readings === 0 && !loadsCommonJs() ? undefined : readings;
  readings += 1;
  if (mark !== undefined) await markImports();
  for (const file of required) delete cache[file];
  const before = new Set(Object.keys(cache));
  try {
    return await importMarked(location, mark);
  } finally {
    required = Object.keys(cache).filter((file) => !before.has(file) && !file.includes("/node_modules/"));
  }
}

let marking: Promise<void> | undefined;

/** Registers the resolve hook. The first import needs none, so a file that is imported once costs nothing more. */
function markImports(): Promise<void> {
  marking ??= (async () => {
    const { registerHooks } = nodeModule as SyncHooks;
    if (registerHooks === undefined) {
      requireDescriptors(THREAD_DESCRIPTORS);
      nodeModule.register(programUrl("loader/fresh-resolve"), import.meta.url);
    } else registerHooks({ resolve: (await import("./fresh-resolve.ts")).resolveSync });
  })();
  marking.catch(() => {
    // The next reading tries again.
    marking = undefined;
  });
  return marking;
}

async function importMarked(location: Location, mark: number | undefined): Promise<ModuleNamespace> {
  if (mark === undefined) return await importModule(location);
  const { MARK } = await import("./fresh-resolve.ts");
  return await importModule(location, { query: `?${MARK}=${mark}` });
}
