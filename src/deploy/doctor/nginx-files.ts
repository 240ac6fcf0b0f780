/** nginx's configuration from its files: what is included stands where the include was. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import picomatch from "picomatch";
import { ExitCode, FatalError } from "../../errors.ts";
import { displayed } from "../../loader/locate.ts";
import { type Directive, parseNginx } from "./nginx-syntax.ts";
import { at } from "./place.ts";
import { readText } from "./text-file.ts";

/** Where the packages of distributions have it; a site that is read by itself means this folder by relative includes. */
const PREFIX = "/etc/nginx";
/** nginx itself has no limit; nobody nests so deep but in a circle. */
const DEEPEST = 20;

export interface NginxFiles {
  readonly directives: readonly Directive[];
  /** What is included and not here: `nginx.conf:3: mime.types`. */
  readonly missing: readonly string[];
}

/**
 * Reads the file with all that it includes.
 * @throws FatalError (usage) that names the file, and the line where one is wrong.
 */
export function readNginx(file: string): NginxFiles {
  const missing: string[] = [];
  const directives = new Inclusion([dirname(resolve(file)), PREFIX], missing).read(file, 0);
  return { directives, missing };
}

class Inclusion {
  /** What a relative path may start from. */
  readonly #folders: readonly string[];
  readonly #missing: string[];

  constructor(folders: readonly string[], missing: string[]) {
    this.#folders = folders;
    this.#missing = missing;
  }

  read(file: string, depth: number): Directive[] {
    return this.#expanded(parseNginx(readText(file), displayed(resolve(file), process.cwd())), depth);
  }

  #expanded(directives: readonly Directive[], depth: number): Directive[] {
    return directives.flatMap((directive): Directive[] => {
      const { name, args, block, place } = directive;
      if (name !== "include") {
        return [block === undefined ? directive : { ...directive, block: this.#expanded(block, depth) }];
      }
      if (depth > DEEPEST)
        throw new FatalError(`${at(place)}: includes go round in a circle`, ExitCode.usage);
      return this.#included(args[0] ?? "", at(place)).flatMap((file) => this.read(file, depth + 1));
    });
  }

  /** The files of an include; of a mask there may be none. */
  #included(pattern: string, where: string): string[] {
    const places = isAbsolute(pattern) ? [pattern] : this.#folders.map((folder) => join(folder, pattern));
    const found = places.map(filesLike).find((files) => files.length > 0);
    if (found === undefined && !isMask(pattern)) this.#missing.push(`${where}: ${pattern}`);
    return found ?? [];
  }
}

function isMask(name: string): boolean {
  return /[*?[]/.test(name);
}

/** The paths that there are, in the order in which nginx reads them. */
function filesLike(pattern: string): string[] {
  let paths = ["/"];
  for (const name of pattern.split("/").filter((part) => part !== "")) {
    const matches = isMask(name) ? picomatch(name) : (entry: string) => entry === name;
    paths = paths.flatMap((path) =>
      entries(path, name)
        .filter((entry) => matches(entry))
        .map((entry) => join(path, entry)),
    );
  }
  return paths;
}

function entries(folder: string, name: string): string[] {
  try {
    // A folder on the way may be one to go through and not to list.
    return isMask(name) ? readdirSync(folder).sort() : existsSync(join(folder, name)) ? [name] : [];
  } catch {
    return [];
  }
}
