/**
 * The command line of this process, so that an upgrade can run the same command again. Names stay as they were typed:
 * they may lead to newer files by then.
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, relative, resolve, sep } from "node:path";
import { currentFolder } from "../../system/working-folder.ts";

export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
  /** Working directory, symbolic links not resolved. */
  readonly folder: string;
}

/** Call before the process changes its working directory. */
export function currentInvocation(): Invocation {
  const real = process.cwd();
  const folder = currentFolder();
  const [, script = "", ...words] = process.argv;
  return {
    program: programNamed(process.argv0, folder) ?? process.execPath,
    args: [...process.execArgv, asNamed(script, real, folder), ...words],
    folder,
  };
}

/** Rewrites a path below the real folder to start with the folder's unresolved name, which may lead to a newer release. */
function asNamed(path: string, real: string, folder: string): string {
  const inside = relative(real, path);
  return isAbsolute(inside) || inside === ".." || inside.startsWith(`..${sep}`) ? path : join(folder, inside);
}

/** Finds the program as a shell does, links not resolved: its path may lead to a newer node. */
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
