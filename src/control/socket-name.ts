/**
 * Names of Unix sockets. A socket gets its name only once it listens, and a successor takes the name over atomically, so
 * that clients are never refused while a server has the name. Sockets are bound under a draft name, because Node, when it
 * closes a socket, removes the name that the socket was bound to, even if another socket owns it by then.
 */
import { lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { exists } from "../system/process-state.ts";
import {
  hasName,
  removeStaleSocket,
  SOCKET_PATH_MAX,
  type SocketFile,
  socketAt,
  tryConnecting,
  tryLink,
} from "../system/unix-socket.ts";

/** Attempts to claim a name while other servers take it or release it. */
const MAX_CLAIM_ATTEMPTS = 3;

/** A dead socket older than this is removed even if its server's pid exists: the pid was reused. */
const STALE_AGE_MS = 60_000;

let draftCount = 0;

/**
 * Returns the draft name to bind a socket to before it is named `path`.
 * @throws Error if either is too long
 */
export function draftName(path: string): string {
  // The letter keeps it from being a number, such as `.2600`, which Node takes for a port.
  const draft = join(dirname(path), `.s${process.pid.toString(36)}${draftCount++}`);
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(draft)) <= SOCKET_PATH_MAX) return draft;
  throw new Error(`${path} is longer than ${SOCKET_PATH_MAX} bytes, the maximum for a socket path`);
}

/**
 * Gives a listening socket its name unless a live server has it. Replaces a socket left behind by a dead server.
 * @throws Error with the reason on one line
 */
export async function claimName(draft: string, path: string): Promise<SocketFile> {
  try {
    for (let attempt = 0; attempt < MAX_CLAIM_ATTEMPTS; attempt++) {
      if (tryLink(draft, path)) return socketAt(path) as SocketFile;
      await removeStale(path);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new Error(`another server keeps taking ${path}`);
}

/**
 * Gives a listening socket the name of another, `held`, then renames it to `path`. At every moment exactly one name leads
 * to a server. Returns undefined if that cannot be done atomically, or if something else already has the name.
 */
export function takeOverName(draft: string, held: SocketFile, path: string): SocketFile | undefined {
  if (!hasName(held) || dirname(held.path) !== dirname(path)) return undefined;
  if (held.path !== path && lstatSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  renameSync(draft, held.path);
  if (held.path !== path) renameSync(held.path, path);
  return socketAt(path) as SocketFile;
}

export function removeName(socket: SocketFile): void {
  if (hasName(socket)) rmSync(socket.path, { force: true });
}

/** Returns false only for a socket that refuses connections or does not exist: behind any other error may be a live server. */
export async function isAlive(path: string): Promise<boolean> {
  const outcome = await tryConnecting(path);
  return outcome !== "ECONNREFUSED" && outcome !== "ENOENT";
}

/**
 * Removes a socket that refuses connections, if this user owns it and its server, `pid`, is gone. If the pid exists, the
 * socket is removed once it is old: another process has reused the pid. A link to a socket stays as long as the pid
 * exists: during an upgrade its target may have no name for a moment. Never throws.
 */
export function removeDead(path: string, pid: number): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.uid !== process.geteuid?.()) return;
  if (stats.isSymbolicLink() && !exists(pid)) rmSync(path, { force: true });
  if (!stats.isSocket()) return;
  if (exists(pid) && Date.now() - stats.mtimeMs < STALE_AGE_MS) return;
  try {
    removeStaleSocket({ path, dev: stats.dev, ino: stats.ino });
  } catch {
    // Left for the next caller to remove.
  }
}

async function removeStale(path: string): Promise<void> {
  const checked = socketAt(path);
  if (checked === undefined) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    throw new Error(`${path} exists and is not a socket`);
  }
  if (await isAlive(path)) throw new Error(`${path} belongs to another server`);
  removeStaleSocket(checked);
}
