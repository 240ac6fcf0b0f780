/**
 * The working folder. Symbolic links in its name are kept, so that after a deploy has moved a link the same name leads to
 * the new release.
 */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";

/**
 * Changes to the folder, if given. Returns the working folder with its symbolic links.
 * @throws FatalError (usage) when it does not exist
 */
export function enterFolder(chdir: string | undefined): string {
  const current = currentFolder();
  if (chdir === undefined) return current;
  const folder = resolve(current, chdir);
  try {
    process.chdir(folder);
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such folder" : String(error);
    throw new FatalError(`chdir: cannot change to ${folder}: ${why}`, ExitCode.usage, { cause: error });
  }
  return folder;
}

/** The current folder by the shell's name for it, if that is the same folder: the system knows only the resolved name. */
export function currentFolder(): string {
  const real = process.cwd();
  const named = process.env.PWD;
  if (named === undefined) return real;
  const a = statSync(real, { throwIfNoEntry: false });
  const b = statSync(named, { throwIfNoEntry: false });
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev ? named : real;
}
