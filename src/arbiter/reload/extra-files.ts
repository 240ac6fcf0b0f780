/** Files that the module loader does not report (templates, data, `.env`): paths or globs of `--reload-extra-file`. */
import type { Stats } from "node:fs";
import { basename, dirname, resolve, sep } from "node:path";
import picomatch from "picomatch";

/** Folders skipped unless a glob names them. */
const SKIPPED = ["node_modules", ".git"];

interface Pattern {
  /** The folder that contains all possible matches. */
  readonly base: string;
  matches(path: string): boolean;
  /** Whether a path below a folder may match. */
  enters(folder: string): boolean;
}

export class ExtraFiles {
  readonly #patterns: readonly Pattern[];

  /**
   * @param globs globs or paths; a folder stands for everything below it
   * @param files more files, matched literally
   */
  constructor(globs: readonly string[], folder: string, files: readonly string[]) {
    this.#patterns = [...globs.map((glob) => pattern(glob, folder)), ...files.map(filePattern)];
  }

  /** The paths to watch. */
  bases(): string[] {
    return [...new Set(this.#patterns.map(({ base }) => base))];
  }

  /** The `ignored` callback of chokidar, called for every path below the bases, with `stats` once known. */
  readonly ignored = (path: string, stats?: Stats): boolean => {
    if (stats?.isFile() === true) return !this.#patterns.some((each) => each.matches(path));
    return !this.#patterns.some((each) => each.matches(path) || each.enters(path));
  };
}

function isWithin(path: string, top: string): boolean {
  return path === top || path.startsWith(top + sep);
}

function filePattern(file: string): Pattern {
  const around = dirname(file);
  return { base: around, matches: (path) => isWithin(path, file), enters: (path) => path === around };
}

function pattern(glob: string, folder: string): Pattern {
  const { base, glob: rest, isGlob } = picomatch.scan(glob);
  if (!isGlob) return filePattern(resolve(folder, glob));
  const top = resolve(folder, base);
  const isMatch = picomatch(rest, { dot: true });
  const skipped = SKIPPED.filter((name) => !glob.includes(name));
  return {
    base: top,
    matches: (path) => isWithin(path, top) && isMatch(path.slice(top.length + 1)),
    enters: (path) => isWithin(path, top) && (path === top || !skipped.includes(basename(path))),
  };
}
