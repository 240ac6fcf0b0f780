/** What the system does not let this process read, for people: who, which folder or file, and what to do. */
import { accessSync, constants, readlinkSync, type Stats, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, relative, resolve } from "node:path";

/**
 * One line about the first folder on the way to `path` that this process may not enter, or about what is there and may
 * not be read. Undefined where nothing stands in the way, also if there is nothing.
 */
export function denialOf(path: string): string | undefined {
  const closed = foldersAbove(path).find((folder) => isDenied(folder, constants.X_OK));
  if (closed === undefined && !isDenied(path, constants.R_OK)) return undefined;
  const stats = statsOf(closed ?? path);
  // A link may be looked at, and lead where nothing may.
  if (stats === undefined) {
    const target = linked(path, closed ?? path);
    return target && denialOf(target);
  }
  const what =
    closed !== undefined ? "enter the folder" : stats.isDirectory() ? "read the folder" : "read the file";
  const why = closed === undefined ? "" : `, which ${path} lies in`;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
  return (
    `${userName()} may not ${what} ${closed ?? path} (mode ${mode})${why}: give that user the right, ` +
    "or put the app where it has it"
  );
}

/** From the root on. */
function foldersAbove(path: string): string[] {
  const above = dirname(path);
  return above === path ? [above] : [...foldersAbove(above), above];
}

function isDenied(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** The path with the link in it replaced by where it leads; undefined when that is none. */
function linked(path: string, link: string): string | undefined {
  try {
    return resolve(dirname(link), readlinkSync(link), relative(link, path));
  } catch {
    return undefined;
  }
}

function userName(): string {
  try {
    return `user ${userInfo().username}`;
  } catch {
    // Nobody has to have a name.
    return `user ${process.geteuid?.()}`;
  }
}
