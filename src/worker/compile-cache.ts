/**
 * Node's compile cache (Node ≥ 22.1): later processes reuse compiled code. The cache contains code that will be run,
 * so it lies in a folder of the user and never in a shared one.
 */
import { lstatSync, mkdirSync } from "node:fs";
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
  const folder = process.env.NODE_COMPILE_CACHE ?? ownFolder(cacheFolder());
  if (folder !== undefined) enableCompileCache(folder);
}

/** Makes the folder for this user alone; undefined if it cannot be, or if others may change what is in it. */
function ownFolder(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    return uid === (process.geteuid?.() ?? uid) && (mode & 0o022) === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
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
