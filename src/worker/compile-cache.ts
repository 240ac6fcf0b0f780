/**
 * Node's compile cache (Node ≥ 22.1): later processes reuse compiled code. The cache contains code that will be run,
 * so it lies in a folder of the user and never in a shared one.
 */
import * as nodeModule from "node:module";
import { userInfo } from "node:os";
import { join } from "node:path";

interface WithCache {
  enableCompileCache?(folder: string): { readonly directory?: string };
  flushCompileCache?(): void;
}
const { enableCompileCache, flushCompileCache } = nodeModule as WithCache;

/** Enables the cache. If Node or the user has none, or it cannot be written, the app is compiled as usual. */
export function useCompileCache(): void {
  if (enableCompileCache === undefined) return;
  const folder = process.env.NODE_COMPILE_CACHE ?? cacheFolder();
  if (folder !== undefined) enableCompileCache(folder);
}

/** Writes the cache now instead of at exit. */
export function writeCompileCache(): void {
  flushCompileCache?.();
}

/**
 * systemd's `CacheDirectory=`, else the folder of the XDG Base Directory Specification. Undefined for a user without an
 * account, such as the arbitrary one that some platforms run a container as.
 */
function cacheFolder(): string | undefined {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  if (CACHE_DIRECTORY) return join(CACHE_DIRECTORY.split(":")[0] as string, "compiled");
  // The home of the current user: after a change of user HOME may still be that of the old one.
  const base = XDG_CACHE_HOME || homeCache();
  return base && join(base, "tsgun", "compiled");
}

function homeCache(): string | undefined {
  try {
    return join(userInfo().homedir, ".cache");
  } catch {
    return undefined;
  }
}
