/** Reads nginx's configuration and expands each include in place. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import picomatch from "picomatch";
import { ExitCode, FatalError } from "../../errors.ts";
import { displayed } from "../../loader/locate.ts";
import { formatFileLine } from "./file-line.ts";
import { type Directive, parseNginx } from "./nginx-syntax.ts";
import { readText } from "./text-file.ts";

/** The distributions' configuration folder. Relative includes of a site that is read alone refer to it. */
const PREFIX = "/etc/nginx";
/** nginx has no limit. Deeper nesting only occurs in a cycle. */
const MAX_DEPTH = 20;

export interface NginxFiles {
  readonly directives: readonly Directive[];
  /** Included files that do not exist: `nginx.conf:3: mime.types`. */
  readonly missing: readonly string[];
}

/**
 * Reads the file and everything it includes.
 * @throws FatalError (usage) that names the file and, for a syntax error, the line.
 */
export function readNginx(file: string): NginxFiles {
  const missing: string[] = [];
  const directives = new Inclusion([dirname(resolve(file)), PREFIX], missing).read(file, 0);
  return { directives, missing };
}

class Inclusion {
  /** Base folders for relative paths. */
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
      if (depth > MAX_DEPTH)
        throw new FatalError(`${formatFileLine(place)}: includes form a cycle`, ExitCode.usage);
      return this.#included(args[0] ?? "", formatFileLine(place)).flatMap((file) =>
        this.read(file, depth + 1),
      );
    });
  }

  /** Returns the files of an include. A mask may match none. */
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

/** Returns the existing paths in the order in which nginx reads them. */
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
    // A parent folder may be searchable but not readable, so list it only for a mask.
    return isMask(name) ? readdirSync(folder).sort() : existsSync(join(folder, name)) ? [name] : [];
  } catch {
    return [];
  }
}
