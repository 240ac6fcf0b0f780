/** Describes denied file access for the operator: which user, which folder or file, and what to do. */
import { accessSync, constants, readlinkSync, type Stats, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, relative, resolve } from "node:path";

/**
 * Returns one line about the first folder above `path` that this process may not enter, or about `path` itself if it
 * may not be read. Undefined when access is allowed or nothing exists there.
 */
export function describeDenial(path: string): string | undefined {
  const denied = foldersAbove(path).find((folder) => isDenied(folder, constants.X_OK));
  if (denied === undefined && !isDenied(path, constants.R_OK)) return undefined;
  const stats = statsOf(denied ?? path);
  // A readable symlink may point into a folder that may not be entered.
  if (stats === undefined) {
    const target = followLink(path, denied ?? path);
    return target && describeDenial(target);
  }
  const what =
    denied !== undefined ? "enter the folder" : stats.isDirectory() ? "read the folder" : "read the file";
  const why = denied === undefined ? "" : `, which contains ${path}`;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
  return (
    `${userName()} may not ${what} ${denied ?? path} (mode ${mode})${why}: give that user access, ` +
    "or move the app"
  );
}

/** Starts at the root. */
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

/** Returns the path with `link` replaced by its target; undefined when `link` is not a symlink. */
function followLink(path: string, link: string): string | undefined {
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
    // A user id without an entry in the user database has no name.
    return `user ${process.geteuid?.()}`;
  }
}
