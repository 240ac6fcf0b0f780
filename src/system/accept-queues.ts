/**
 * How many connections wait to be accepted on listening sockets, from the kernel's tables (Linux). A TCP socket that
 * listens has the number in its line. Of a Unix socket each waiting connection is a line of its own, with the socket's
 * path, and connecting: no process has it yet.
 */
import { fstatSync } from "node:fs";
import { readSocketTable } from "./socket-table.ts";

/** Values in /proc/net/tcp and /proc/net/unix. */
const TCP_LISTEN = "0A";
const UNIX_CONNECTING = "02";

export interface ListeningSocket {
  readonly descriptor: number;
  /** The path of a Unix socket, as it was bound. */
  readonly path?: string | undefined;
}

/** Connections that wait, by the inode of the socket. @param tables texts of /proc/net/tcp and tcp6 */
export function waitingTcp(tables: readonly string[]): Map<string, number> {
  const waiting = new Map<string, number>();
  for (const table of tables) {
    for (const line of table.split("\n")) {
      // Only lines of listening sockets are taken apart: there may be thousands of others.
      if (!line.includes(` ${TCP_LISTEN} `)) continue;
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      const queue = fields[4]?.split(":")[1];
      if (fields[3] === TCP_LISTEN && inode !== undefined && queue !== undefined)
        waiting.set(inode, Number.parseInt(queue, 16));
    }
  }
  return waiting;
}

/** Connections that wait on a Unix socket. @param table text of /proc/net/unix, as Latin-1 */
export function waitingUnix(table: string, path: string): number {
  const latin1 = Buffer.from(path).toString("latin1");
  return table.split("\n").filter((line) => {
    if (!line.endsWith(latin1)) return false;
    const [, , , , , state, , ...name] = line.trim().split(/\s+/);
    return state === UNIX_CONNECTING && name.join(" ") === latin1;
  }).length;
}

/** The numbers for each socket, in order; undefined where the system does not say. */
export async function acceptQueues(sockets: readonly ListeningSocket[]): Promise<(number | undefined)[]> {
  const hasTcp = sockets.some(({ path }) => path === undefined);
  const hasUnix = sockets.some(({ path }) => path !== undefined);
  const [tcp, tcp6, unix] = await Promise.all([
    hasTcp ? table("tcp") : undefined,
    hasTcp ? table("tcp6") : undefined,
    hasUnix ? table("unix") : undefined,
  ]);
  const waiting = waitingTcp([tcp ?? "", tcp6 ?? ""]);
  return sockets.map(({ descriptor, path }) => {
    if (path !== undefined) return unix === undefined ? undefined : waitingUnix(unix, path);
    try {
      return waiting.get(String(fstatSync(descriptor).ino));
    } catch {
      return undefined;
    }
  });
}

async function table(name: "tcp" | "tcp6" | "unix"): Promise<string | undefined> {
  try {
    return await readSocketTable(name);
  } catch {
    return undefined;
  }
}
