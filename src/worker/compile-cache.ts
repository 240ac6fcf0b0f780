/**
 * Node's compile cache, where Node has one (≥ 22.1): what was compiled once is not compiled again by the next
 * process. The cache is code that will be run, so it lies in a folder of the user's own and never in a common one.
 */
import * as nodeModule from "node:module";
import { userInfo } from "node:os";
import { join } from "node:path";

interface WithCache {
  enableCompileCache?(folder: string): { readonly directory?: string };
  flushCompileCache?(): void;
}
const { enableCompileCache, flushCompileCache } = nodeModule as WithCache;

/** Uses the cache from here on. Without one, or where it cannot be written, the app is compiled as ever. */
export function useCompileCache(): void {
  enableCompileCache?.(process.env.NODE_COMPILE_CACHE ?? cacheFolder());
}

/** Writes what was compiled; else Node does when the process ends. */
export function writeCompileCache(): void {
  flushCompileCache?.();
}

/** systemd's `CacheDirectory=`, or the place that the XDG Base Directory Specification names. */
function cacheFolder(): string {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  if (CACHE_DIRECTORY) return join(CACHE_DIRECTORY.split(":")[0] as string, "compiled");
  // Of the user that the process has become: HOME may still be another's.
  return join(XDG_CACHE_HOME || join(userInfo().homedir, ".cache"), "tsgun", "compiled");
}
