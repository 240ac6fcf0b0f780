/**
 * TCP connections within this machine whose other end has been closed. The kernel lists a closed end without an inode
 * (proc_pid_net(5)), which tells a client that is gone from one that has only shut down its sending side, without a
 * byte on the wire. Linux only; the tables cover this process's network namespace, so not other containers.
 */
import { ipAddress, readSocketTable } from "./socket-table.ts";

const TABLES = ["tcp", "tcp6"] as const;

/**
 * A line of an end that no process holds, in state FIN_WAIT1 (04) or FIN_WAIT2 (05): local address and port, remote
 * address and port, state; then queues, timer, retransmissions, user, timeout and inode. A pattern, because splitting
 * every line of a busy server's table would cost milliseconds.
 */
const CLOSED_END =
  /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) 0[45] \S+ \S+ \S+ +\d+ +\d+ 0 /gm;

const IPV4_MAPPED = "::ffff:";

/** The addresses of a connected socket; none once it is closed. */
export interface Addresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** Returns those of `sockets` whose peer is on this machine and has closed its socket; an empty list outside Linux. */
export async function withClosedPeers<T extends Addresses>(sockets: readonly T[]): Promise<T[]> {
  if (process.platform !== "linux") return [];
  const tables = await Promise.all(TABLES.map((name) => readSocketTable(name).catch(() => "")));
  const closed = new Set<string>();
  for (const table of tables) {
    for (const [, local = "", localPort = "", remote = "", remotePort = ""] of table.matchAll(CLOSED_END))
      closed.add(connectionKey(ipAddress(local), fromHex(localPort), ipAddress(remote), fromHex(remotePort)));
  }
  // The peer's local end is the remote end of our socket.
  return sockets.filter(({ remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 }) =>
    closed.has(connectionKey(remoteAddress, remotePort, localAddress, localPort)),
  );
}

function connectionKey(local: string, localPort: number, remote: string, remotePort: number): string {
  return `${unmapped(local)} ${localPort} ${unmapped(remote)} ${remotePort}`;
}

/** An IPv6 socket can have an IPv4 connection, with mapped addresses. */
function unmapped(address: string): string {
  const isMapped = address.startsWith(IPV4_MAPPED) && address.includes(".");
  return isMapped ? address.slice(IPV4_MAPPED.length) : address;
}

function fromHex(digits: string): number {
  return Number.parseInt(digits, 16);
}
