/**
 * Which TCP connections of this machine the process at one of their ends has closed. The kernel lists such an end
 * without an inode (proc_pid_net(5)), which tells a client that is gone from one that has only shut down its sending
 * side, without a byte on the wire. Linux only; another network namespace, a container's say, has a list of its own.
 */
import { readFile } from "node:fs/promises";
import { type Socket, SocketAddress } from "node:net";
import { endianness } from "node:os";

const LISTS = [
  ["/proc/net/tcp", "ipv4"],
  ["/proc/net/tcp6", "ipv6"],
] as const;

/**
 * An end that has sent its FIN, whose acknowledgement is still to come (04) or has come (05), and that no process has:
 * local address and port, remote address and port, state; then queues, timer, retransmissions, user, timeout; the inode.
 */
const CLOSED_END =
  /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) 0[45] \S+ \S+ \S+ +\d+ +\d+ 0 /gm;

const MAPPED = "::ffff:";

/** Of those sockets, the ones whose other end is on this machine and has been closed. */
export async function withClosedPeers(sockets: readonly Socket[]): Promise<Socket[]> {
  if (process.platform !== "linux") return [];
  const lists = await Promise.all(LISTS.map(([file]) => readFile(file, "latin1").catch(() => "")));
  const closed = new Set<string>();
  for (const [index, [, family]] of LISTS.entries()) {
    for (const [, local = "", port = "", remote = "", remotePort = ""] of lists[index]?.matchAll(
      CLOSED_END,
    ) ?? [])
      closed.add(nameOf(addressOf(local, family), hex(port), addressOf(remote, family), hex(remotePort)));
  }
  return sockets.filter(({ remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 }) =>
    closed.has(nameOf(remoteAddress, remotePort, localAddress, localPort)),
  );
}

/** An IPv6 socket may have an IPv4 connection. */
function nameOf(local: string, port: number, remote: string, remotePort: number): string {
  return `${plain(local)} ${port} ${plain(remote)} ${remotePort}`;
}

function plain(address: string): string {
  return address.startsWith(MAPPED) && address.includes(".") ? address.slice(MAPPED.length) : address;
}

function hex(digits: string): number {
  return Number.parseInt(digits, 16);
}

/** The list has addresses as 32-bit numbers in the byte order of the machine. */
function addressOf(digits: string, family: "ipv4" | "ipv6"): string {
  const bytes = Buffer.from(digits, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (family === "ipv4") return bytes.join(".");
  // Node writes an address in its usual short form.
  return new SocketAddress({ address: groups(bytes), family }).address;
}

function groups(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16)).join(":");
}
