/** Files of Unix sockets: finds out whether a server listens, and assigns and removes names without touching another's. */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
} from "node:fs";
import { connect } from "node:net";

/** Maximum length of a Unix socket's path in bytes: `sun_path` without its NUL. libuv may truncate a longer one. */
export const SOCKET_PATH_MAX = process.platform === "linux" ? 107 : 103;

/** The file of a socket: a name and the identity of the socket it was given to. */
export interface SocketFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** Returns the socket that has this name now; undefined if there is none. */
export function socketAt(path: string): SocketFile | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isSocket() ? { path, dev: stats.dev, ino: stats.ino } : undefined;
}

/** Whether the name still belongs to this socket. An open socket keeps its inode, so no other can have the same number. */
export function hasName({ path, dev, ino }: SocketFile): boolean {
  const there = socketAt(path);
  return there?.ino === ino && there.dev === dev;
}

/** Returns "connected" or the error's code. EAGAIN: a server listens, but its backlog is full. */
export function tryConnecting(path: string): Promise<string> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve("connected");
    });
    probe.once("error", ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
  });
}

/** Adds the name `path` to the file `draft`; returns false if something already has that name. */
export function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    // No hard links on this file system: not atomic.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false;
    renameSync(draft, path);
    return true;
  }
}

/**
 * Classifies a failed link(): true if something has the name, false if the file system has no hard links.
 * @throws any other error
 */
export function isTaken(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return true;
  if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) return false;
  throw error;
}

/** Removes the name of a dead socket. Restores it if another socket took the name since the check. */
export function removeStaleSocket(checked: SocketFile): void {
  const aside = `${checked.path}.${process.pid}.stale`;
  try {
    renameSync(checked.path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (!hasName({ ...checked, path: aside })) tryLink(aside, checked.path);
  rmSync(aside, { force: true });
}

/** Linux: a descriptor that stands for a file without opening it, as no socket's file can be opened (open(2)). */
const O_PATH = 0o10000000;

export interface FileAccess {
  /** Permission bits. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Another file has taken the place of a socket that this process has bound. */
export class NotTheSocket extends Error {}

/**
 * Changes the owner and the mode of a socket's file that this process has just bound. Whoever may write to the folder may
 * meanwhile have put a link in its place, so no link is followed, and a file with more than one name is left alone.
 *
 * @throws NotTheSocket, or a system error
 */
export function setSocketAccess(path: string, access: FileAccess): void {
  if (process.platform !== "linux") {
    requireSocket(path, lstatSync(path));
    // Without a descriptor a change of mode would follow a link, and there is none for links.
    if (access.mode !== undefined) chmodSync(path, access.mode);
    if (changesOwner(access)) lchownSync(path, access.uid ?? -1, access.gid ?? -1);
    return;
  }
  const descriptor = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    requireSocket(path, fstatSync(descriptor));
    // The kernel resolves this name to the very file that was looked at.
    const file = `/proc/self/fd/${descriptor}`;
    if (changesOwner(access)) chownSync(file, access.uid ?? -1, access.gid ?? -1);
    if (access.mode !== undefined) chmodSync(file, access.mode);
  } finally {
    closeSync(descriptor);
  }
}

function changesOwner({ uid, gid }: FileAccess): boolean {
  return uid !== undefined || gid !== undefined;
}

function requireSocket(path: string, stats: Stats): void {
  if (stats.isSocket() && stats.nlink === 1) return;
  throw new NotTheSocket(
    `another file has taken the place of the socket ${path}: only trusted users may write to its folder`,
  );
}
