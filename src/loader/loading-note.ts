/** What is noted of a module that is about to be loaded, or could not be found: the files to look at. */
import { statSync } from "node:fs";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fileStamp } from "../ipc/file-stamp.ts";
import type { LoadedFile } from "../ipc/messages.ts";

export type LoadingNote = readonly LoadedFile[];

/** What may be put behind a path that an import names, and what is written for what. */
const ENDINGS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/** The file behind a URL; undefined for what is no file, such as `node:fs`. */
export function noteOf(url: string): LoadingNote | undefined {
  const path = pathOf(url);
  return path === undefined ? undefined : [{ path, stamp: fileStamp(path) }];
}

/** The files whose creation would make `specifier` found; undefined for the name of a package. */
export function noteOfMissing(specifier: string, parent: string | undefined): LoadingNote | undefined {
  const base = namedPath(specifier, parent);
  if (base === undefined) return undefined;
  const ending = extname(base);
  const stem = ENDINGS.includes(ending) ? base.slice(0, -ending.length) : base;
  const paths = new Set([base, ...ENDINGS.map((end) => stem + end)]);
  return [...paths].map((path) => ({ path, stamp: fileStamp(path) }));
}

/** The link through which `specifier` led to the file that was found; undefined where it names that itself. */
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

/** The path that an import names, by itself or from the file it stands in; undefined for the name of a package. */
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
    // A file stands where a folder would have to be.
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
