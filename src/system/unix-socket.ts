/** Files of Unix sockets: finds out whether a server listens, and assigns and removes names without touching another's. */
import { linkSync, lstatSync, renameSync, rmSync } from "node:fs";
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
