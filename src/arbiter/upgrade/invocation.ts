/**
 * How this process was started, so that an upgrade can start the same command again: the same words, typed
 * anew, not the files that they meant the last time.
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, relative, resolve, sep } from "node:path";
import { namedFolder } from "../../system/working-folder.ts";

export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder to start in, links in it not resolved. */
  readonly folder: string;
}

/** To be called before the process goes to another folder. */
export function currentInvocation(): Invocation {
  const real = process.cwd();
  const folder = namedFolder(real, process.env.PWD);
  const [, script = "", ...words] = process.argv;
  return {
    program: programNamed(process.argv0, folder) ?? process.execPath,
    args: [...process.execArgv, asNamed(script, real, folder), ...words],
    folder,
  };
}

/** A path below the real folder, by the name of the folder: that may lead to a newer release by then. */
function asNamed(path: string, real: string, folder: string): string {
  const inside = relative(real, path);
  return isAbsolute(inside) || inside === ".." || inside.startsWith(`..${sep}`) ? path : join(folder, inside);
}

/** Where the shell finds the program, links in its path not resolved: a newer node may be there by then. */
function programNamed(name: string, folder: string): string | undefined {
  const candidates = name.includes(sep)
    ? [resolve(folder, name)]
    : (process.env.PATH ?? "").split(delimiter).map((path) => resolve(folder, path, name));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
