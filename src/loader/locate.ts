/**
 * Resolves the module of a spec to a file. A file in the working folder takes precedence over a package, and
 * TypeScript over JavaScript: compiled output beside its source must not be served by accident.
 */
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { nearestName } from "../config/nearest-name.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { describeDenial } from "./access-denial.ts";

/** Extensions tried for a module without one, in this order. */
const EXTENSIONS = [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"];
const EXTENSION = /\.(?:[mc]?[jt]s|[jt]sx)$/;
const PACKAGE = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(?:\/[^/]+)*$/i;

export type Location =
  | { readonly kind: "file"; readonly file: string; readonly shown: string }
  /** A package that Node resolves from the folder `from`. */
  | { readonly kind: "package"; readonly name: string; readonly from: string; readonly shown: string };

/**
 * Finds `module` as a file in `cwd`, else assumes a package. `shown` is its name in messages.
 * Throws `FatalError` (`ExitCode.appLoad`) when it is not a file and cannot be a package, or may not be read.
 */
export function locate(module: string, cwd: string): Location {
  const base = resolve(cwd, module);
  const file = candidates(base).find(isFile);
  // A file in a folder that we may not enter looks as if it did not exist.
  const denial = describeDenial(file ?? base);
  if (denial !== undefined) throw new FatalError(denial, ExitCode.appLoad);
  if (file !== undefined) return { kind: "file", file, shown: displayed(file, cwd) };
  if (!canBePackage(module)) throw notFound(module, cwd, false);
  return { kind: "package", name: module, from: cwd, shown: module };
}

/** There is no such module. */
export class NotFound extends FatalError {}

/** The error for a module that is neither a file nor, if `triedPackage`, a package. */
export function notFound(module: string, cwd: string, triedPackage: boolean, cause?: unknown): NotFound {
  const base = resolve(cwd, module);
  const path = relative(cwd, base) || ".";
  const looked = EXTENSION.test(module)
    ? path
    : `${path}.{${EXTENSIONS.map((end) => end.slice(1)).join(",")}} and ${path}/index.*`;
  const where = `looked for ${looked} in ${cwd}`;
  const packages = triedPackage ? `, then for a package ${JSON.stringify(module)}` : "";
  const hint = neighbour(base);
  const meant = hint === undefined ? "" : `; did you mean ${displayed(hint, cwd)}?`;
  return new NotFound(
    `cannot find the app module ${JSON.stringify(module)}: ${where}${packages}${meant}`,
    ExitCode.appLoad,
    { cause },
  );
}

/** The path to show in messages: relative if it lies under `cwd`. */
export function displayed(file: string, cwd: string): string {
  const path = relative(cwd, file);
  return path.startsWith("..") ? file : path;
}

function candidates(base: string): string[] {
  return [
    ...(extname(base) === "" ? [] : [base]),
    ...EXTENSIONS.map((end) => base + end),
    ...EXTENSIONS.map((end) => join(base, `index${end}`)),
  ];
}

function canBePackage(module: string): boolean {
  return PACKAGE.test(module) && (!EXTENSION.test(module) || module.includes("/"));
}

/** A file in the same folder with a similar name. */
function neighbour(base: string): string | undefined {
  const folder = dirname(base);
  const names = namesIn(folder).filter((name) => EXTENSION.test(name));
  const wanted = basename(base);
  const bare = new Map(
    names.map((name) => [EXTENSION.test(wanted) ? name : name.replace(EXTENSION, ""), name]),
  );
  const nearest = nearestName(wanted, [...bare.keys()]);
  return nearest === undefined ? undefined : join(folder, bare.get(nearest) as string);
}

/** Whether `path` is a file. A path that cannot be examined, such as one below a file, is not. */
export function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
