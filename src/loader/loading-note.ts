/** What is noted of a module that is about to be loaded, or could not be found: the files to look at. */
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
  const from = parent === undefined ? undefined : pathOf(parent);
  let base = pathOf(specifier);
  if (base === undefined && from !== undefined && /^\.\.?(?:\/|$)/.test(specifier)) {
    base = resolve(dirname(from), specifier);
  }
  if (base === undefined) return undefined;
  const ending = extname(base);
  const stem = ENDINGS.includes(ending) ? base.slice(0, -ending.length) : base;
  const paths = new Set([base, ...ENDINGS.map((end) => stem + end)]);
  return [...paths].map((path) => ({ path, stamp: fileStamp(path) }));
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
