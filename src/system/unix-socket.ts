/** Unix sockets by their files: who listens there, and how a name is given and taken away without touching anybody else's. */
import { linkSync, lstatSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";

/** The longest path of a Unix socket in bytes: `sun_path` less its NUL. libuv may cut a longer one short. */
export const SOCKET_PATH_MAX = process.platform === "linux" ? 107 : 103;

/** The file of a socket: a name, and which socket it was given to. */
export interface SocketFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** What has this name now; undefined where that is no socket. */
export function socketAt(path: string): SocketFile | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isSocket() ? { path, dev: stats.dev, ino: stats.ino } : undefined;
}

/** Whether the name still belongs to this socket: one that is open keeps its inode, so no other can have the same number. */
export function hasName({ path, dev, ino }: SocketFile): boolean {
  const there = socketAt(path);
  return there?.ino === ino && there.dev === dev;
}

/** Returns "connected", or the code of the error. EAGAIN: somebody listens, and the backlog is full. */
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

/** Gives the file `draft` the name `path` as well. False when something has that name. */
export function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    // A file system without hard links: no longer in one step.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false;
    renameSync(draft, path);
    return true;
  }
}

/**
 * Of a link that failed: true when something has the name, false where the file system has no hard links.
 * @throws any other error
 */
export function isTaken(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return true;
  if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) return false;
  throw error;
}

/** Takes the name from a dead socket, unless somebody has got it since it was judged: then it is given back. */
export function discard(judged: SocketFile): void {
  const aside = `${judged.path}.${process.pid}.stale`;
  try {
    renameSync(judged.path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (!hasName({ ...judged, path: aside })) linked(aside, judged.path);
  rmSync(aside, { force: true });
}
