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

/** Enables the cache. If Node has none or it cannot be written, the app is compiled as usual. */
export function useCompileCache(): void {
  enableCompileCache?.(process.env.NODE_COMPILE_CACHE ?? cacheFolder());
}

/** Writes the cache now instead of at exit. */
export function writeCompileCache(): void {
  flushCompileCache?.();
}

/** systemd's `CacheDirectory=`, else the folder of the XDG Base Directory Specification. */
function cacheFolder(): string {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  if (CACHE_DIRECTORY) return join(CACHE_DIRECTORY.split(":")[0] as string, "compiled");
  // The home of the current user: after a change of user HOME may still be that of the old one.
  return join(XDG_CACHE_HOME || join(userInfo().homedir, ".cache"), "tsgun", "compiled");
}
