/**
 * The names of Unix sockets. A socket gets its name only once it listens, and passes it on to another in one step, so that a
 * client that connects to the name is never refused while a server has it. When Node closes a socket it removes the name that
 * the socket was bound to, whoever owns that name by then: these sockets are therefore bound under a draft name.
 */
import { lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { exists } from "../system/process-state.ts";
import {
  discard,
  hasName,
  linked,
  SOCKET_PATH_MAX,
  type SocketFile,
  socketAt,
  tryConnecting,
} from "../system/unix-socket.ts";

/** How often a name is tried while other servers take it or give it up. */
const CLAIMS = 3;

/** The age, in milliseconds, from which a dead socket is removed although a process with its server's pid lives. */
const OLD = 60_000;

let drafts = 0;

/**
 * The name to bind a socket to that is to be called `path`.
 * @throws Error when that is too long
 */
export function draftName(path: string): string {
  const draft = join(dirname(path), `.${process.pid.toString(36)}${drafts++}`);
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(draft)) <= SOCKET_PATH_MAX) return draft;
  throw new Error(`${path} is longer than ${SOCKET_PATH_MAX} bytes, the most for a socket`);
}

/**
 * Gives a listening socket its name, if nobody answers there. A socket left behind by a dead server is replaced.
 * @throws Error with one line that says why it cannot be
 */
export async function claimName(draft: string, path: string): Promise<SocketFile> {
  try {
    for (let claim = 0; claim < CLAIMS; claim++) {
      if (linked(draft, path)) return socketAt(path) as SocketFile;
      await removeStale(path);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new Error(`another server keeps taking ${path}`);
}

/**
 * Gives a listening socket the name of another, `held`, and renames that to `path`. At every moment exactly one name leads to
 * a server. Returns undefined where one step cannot do it, or something else has the name already.
 */
export function takeName(draft: string, held: SocketFile, path: string): SocketFile | undefined {
  if (!hasName(held) || dirname(held.path) !== dirname(path)) return undefined;
  if (held.path !== path && lstatSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  renameSync(draft, held.path);
  if (held.path !== path) renameSync(held.path, path);
  return socketAt(path) as SocketFile;
}

export function removeName(socket: SocketFile): void {
  if (hasName(socket)) rmSync(socket.path, { force: true });
}

/** False only for a socket that refuses connections or does not exist; any other failure may hide a live server. */
export async function isAlive(path: string): Promise<boolean> {
  const outcome = await tryConnecting(path);
  return outcome !== "ECONNREFUSED" && outcome !== "ENOENT";
}

/**
 * Removes a socket that refuses connections, if it is this user's and its server, `pid`, is gone. The socket of a pid that
 * lives is removed once it is old: another process has got the number. Throws nothing.
 */
export function removeDead(path: string, pid: number): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isSocket() || stats.uid !== process.geteuid?.()) return;
  if (exists(pid) && Date.now() - stats.mtimeMs < OLD) return;
  try {
    discard({ path, dev: stats.dev, ino: stats.ino });
  } catch {
    // It stays for the next one to remove.
  }
}

async function removeStale(path: string): Promise<void> {
  const judged = socketAt(path);
  if (judged === undefined) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    throw new Error(`${path} exists and is no socket`);
  }
  if (await isAlive(path)) throw new Error(`${path} belongs to another server`);
  discard(judged);
}
