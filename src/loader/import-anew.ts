/**
 * Importing a file that was imported before as it is now, with what it imports itself; packages stay. What was
 * read before is kept by Node for ever: some 10 kB for a small file, so this is for what changes now and then.
 */
import * as nodeModule from "node:module";
import { extname } from "node:path";
import { requireDescriptors } from "../native/descriptors.ts";
import { importModule, type ModuleNamespace } from "./import-module.ts";
import type { Location } from "./locate.ts";

const { cache } = nodeModule.createRequire(import.meta.url);

/** Node ≥ 22.15 has hooks that need no thread. */
interface SyncHooks {
  registerHooks?(hooks: { resolve: unknown }): unknown;
}

/** More than a thread takes. */
const THREAD_DESCRIPTORS = 8;

/** How many readings there have been; the first one leaves no mark. */
let readings = 0;
/** CommonJS modules of the user that the last reading loaded. */
let required: readonly string[] = [];

/**
 * Imports what `locate` found as it is now. One caller at a time. Rejects with whatever the module or its
 * imports throw.
 */
export async function importAnew(location: Location): Promise<ModuleNamespace> {
  const mark = readings === 0 ? undefined : readings;
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

/** The first import of a file needs no hook: what is imported once costs nothing more. */
function markImports(): Promise<void> {
  marking ??= (async () => {
    const hooks = new URL(`./fresh-resolve${extname(import.meta.filename)}`, import.meta.url);
    const { registerHooks } = nodeModule as SyncHooks;
    if (registerHooks === undefined) {
      requireDescriptors(THREAD_DESCRIPTORS);
      nodeModule.register(hooks, import.meta.url);
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
