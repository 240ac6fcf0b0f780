/** The files to watch for a module that is about to be loaded or could not be found. */
import { statSync } from "node:fs";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fileStamp } from "../ipc/file-stamp.ts";
import type { LoadedFile } from "../ipc/messages.ts";

export type LoadingNote = readonly LoadedFile[];

/** Extensions that the resolver may add to an imported path, or replace in it (`.js` for `.ts`). */
const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/** The file of a URL; undefined for other modules, such as `node:fs`. */
export function noteOf(url: string): LoadingNote | undefined {
  const path = pathOf(url);
  return path === undefined ? undefined : [{ path, stamp: fileStamp(path) }];
}

/** The files whose creation would let `specifier` resolve; undefined for the name of a package. */
export function noteOfMissing(specifier: string, parent: string | undefined): LoadingNote | undefined {
  const base = namedPath(specifier, parent);
  if (base === undefined) return undefined;
  const extension = extname(base);
  const stem = EXTENSIONS.includes(extension) ? base.slice(0, -extension.length) : base;
  const paths = new Set([base, ...EXTENSIONS.map((end) => stem + end)]);
  return [...paths].map((path) => ({ path, stamp: fileStamp(path) }));
}

/** The symlink through which `specifier` resolved to `found`; undefined when it names `found` directly. */
export function noteOfLink(
  specifier: string,
  parent: string | undefined,
  found: string,
): LoadingNote | undefined {
  const base = namedPath(specifier, parent);
  const path = pathOf(found);
  if (base === undefined || path === undefined) return undefined;
  const named = [base, base + extname(path)];
  if (named.includes(path)) return undefined;
  const link = named.find(isFile);
  return link === undefined ? undefined : [{ path: link, stamp: fileStamp(link) }];
}

/** The path that an import names, absolute or relative to its parent; undefined for the name of a package. */
function namedPath(specifier: string, parent: string | undefined): string | undefined {
  const path = pathOf(specifier);
  if (path !== undefined || !/^\.\.?(?:\/|$)/.test(specifier)) return path;
  const from = parent === undefined ? undefined : pathOf(parent);
  return from === undefined ? undefined : resolve(dirname(from), specifier);
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // A parent of the path is a file (ENOTDIR).
    return false;
  }
}

function pathOf(url: string): string | undefined {
  if (isAbsolute(url)) return url;
  if (!url.startsWith("file:")) return undefined;
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
