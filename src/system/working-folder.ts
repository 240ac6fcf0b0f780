/** The folder that a process works in. Symbolic links in its name stay, so that a relinked one leads to the new release. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";

/**
 * Goes to the folder and returns it as it was named, links in it not resolved: a worker that is started
 * later follows the link to where it leads then.
 * @throws FatalError (usage) when it is not there.
 */
export function enterFolder(chdir: string | undefined): string {
  const current = namedFolder(process.cwd(), process.env.PWD);
  if (chdir === undefined) return current;
  const folder = resolve(current, chdir);
  try {
    process.chdir(folder);
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such folder" : String(error);
    throw new FatalError(`chdir: cannot go to ${folder}: ${why}`, ExitCode.usage, { cause: error });
  }
  return folder;
}

/** The current folder as the shell calls it, if that is the same one: the system has forgotten links. */
export function namedFolder(real: string, named: string | undefined): string {
  if (named === undefined) return real;
  const a = statSync(real, { throwIfNoEntry: false });
  const b = statSync(named, { throwIfNoEntry: false });
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev ? named : real;
}
