/**
 * Opens log files by name, and follows symbolic links only where this user or root made them: in a folder that others may
 * write to, a name can be somebody's link to any file that this process may write.
 */
import { constants, lstatSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";

const MODE = 0o644;
const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK, O_WRONLY } = constants;

/** As many as Linux follows (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Opens a file to append to, making it if it is not there. Never waits: not for the reader of a pipe either.
 *
 * @throws the system's error, or one that names another user's symbolic link
 */
export function openAppending(file: string): number {
  const { path, isKernels } = followLinks(file);
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | (isKernels ? 0 : O_NOFOLLOW), MODE);
}

/**
 * Follows the links that a file's name is.
 *
 * @throws Error when one of them is neither this user's nor root's
 */
export function followLinks(file: string): {
  readonly path: string;
  /** It leads to something open, such as `/dev/fd/1`: the kernel alone can follow it. */
  readonly isKernels: boolean;
} {
  let path = file;
  for (let followed = 0; followed < MOST_LINKS; followed++) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return { path, isKernels: false };
    const folder = realpathSync(dirname(path));
    if (folder.startsWith("/proc/")) return { path, isKernels: true };
    if (!isTrusted(stats.uid)) {
      throw new Error(
        `the symbolic link ${path} is another user's (uid ${stats.uid}): remove it, or name another file`,
      );
    }
    const target = readlinkSync(path);
    path = isAbsolute(target) ? target : `${folder}/${target}`;
  }
  throw new Error(`${file} leads through more than ${MOST_LINKS} symbolic links`);
}

function isTrusted(uid: number): boolean {
  return process.geteuid === undefined || uid === 0 || uid === process.geteuid();
}
