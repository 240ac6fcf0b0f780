/** Finds files as TypeScript does: by names without extension, by the JavaScript that they become, by `paths`. */
import { statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { isFile } from "./locate.ts";
import { isOfPackage } from "./module-format.ts";
import { projectOf } from "./tsconfig.ts";
import { isTypeScript } from "./typescript.ts";

const COMPILED = [".ts", ".tsx", ".cts"];

/** The TypeScript file that a TypeScript file means by `request`; undefined if Node itself finds what it means. */
export function sourceOf(request: string, parent: string | undefined): string | undefined {
  if (parent === undefined || !isTypeScript(parent) || isOfPackage(parent)) return undefined;
  const folder = dirname(parent);
  if (/^\.{1,2}(?:\/|$)/.test(request) || isAbsolute(request)) return sourceAt(resolve(folder, request));
  if (request.startsWith("#") || isBuiltin(request)) return undefined;
  for (const target of mapped(request, folder)) {
    const found = sourceAt(target) ?? plainFileAt(target);
    if (found !== undefined) return found;
  }
  return undefined;
}

const JAVASCRIPT = /\.([mc]?)js(x?)$/;

function sourceAt(path: string): string | undefined {
  if (JAVASCRIPT.test(path)) {
    return [path.replace(JAVASCRIPT, ".$1ts$2"), path.replace(/\.js$/, ".tsx")].find(
      (file) => file !== path && isFile(file),
    );
  }
  if (isFile(path)) return isTypeScript(path) ? path : undefined;
  const typed = COMPILED.map((extension) => path + extension).find(isFile);
  if (typed !== undefined || !isFolder(path)) return typed;
  // Node's own order: a file of that name, then the folder by its package.json.
  if ([...PLAIN.map((extension) => path + extension), join(path, "package.json")].some(isFile))
    return undefined;
  return COMPILED.map((extension) => join(path, `index${extension}`)).find(isFile);
}

const PLAIN = [".js", ".json", ".node", ".cjs"];

function plainFileAt(path: string): string | undefined {
  const named = extname(path) === "" ? [] : [path];
  const candidates = [path, join(path, "index")].flatMap((base) =>
    PLAIN.map((extension) => base + extension),
  );
  return [...named, ...candidates].find(isFile);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The files that `paths` and `baseUrl` make of a name, best first. */
function mapped(name: string, folder: string): string[] {
  const { paths = {}, baseUrl } = projectOf(folder).options;
  let longest = -1;
  let targets: readonly string[] = [];
  for (const [pattern, list] of Object.entries(paths)) {
    const [before = "", after] = pattern.split("*");
    const matches =
      after === undefined
        ? name === pattern
        : name.startsWith(before) && name.endsWith(after) && name.length >= pattern.length - 1;
    // An exact pattern wins over any with a star, and of those the one with the longest prefix.
    const length = after === undefined ? Number.POSITIVE_INFINITY : before.length;
    if (!matches || length <= longest) continue;
    longest = length;
    const star = after === undefined ? "" : name.slice(before.length, name.length - after.length);
    targets = list.map((target) => target.replace("*", star));
  }
  return baseUrl === undefined ? [...targets] : [...targets, join(baseUrl, name)];
}
