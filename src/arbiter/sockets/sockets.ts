/**
 * Where the listening sockets come from, unless the arbiter that this one follows hands them over: from
 * systemd, or they are bound here.
 */
import { fstatSync } from "node:fs";
import type { Address } from "../../config/address.ts";
import { ipAddress, socketTable } from "../../system/socket-table.ts";
import { claimActivatedSockets } from "../../systemd/activation.ts";
import { type BindOptions, bindAgain, bindAll, fileLoss, type Listener } from "./bind.ts";
import { closeSocket } from "./open-socket.ts";

/**
 * The sockets that systemd handed over, else those that `bind` names.
 * @throws FatalError when what systemd promised is not there, or an address cannot be bound.
 */
export async function openSockets(
  bind: readonly Address[],
  options: BindOptions,
): Promise<readonly Listener[]> {
  const activated = claimActivatedSockets();
  if (activated.length === 0) return await bindAll(bind, options);
  return activated.map(({ fd }) => ({ descriptor: fd, url: socketName(fd), activated: true }));
}

/**
 * The sockets that the arbiter before this one handed over. One whose file is gone, so that no client reaches it, is
 * bound again.
 * @throws FatalError when it cannot be
 */
export async function adoptSockets(
  handed: readonly Listener[],
  options: BindOptions,
): Promise<readonly Listener[]> {
  return await Promise.all(
    handed.map(async (listener) => {
      if (fileLoss(listener) === undefined) return listener;
      const renewed = await bindAgain(listener, options);
      closeSocket(listener.descriptor);
      return renewed;
    }),
  );
}

/** What a listening socket of another's making is called, for people. The kernel's tables of sockets know. */
export function socketName(descriptor: number, root = "/"): string {
  try {
    const inode = String(fstatSync(descriptor).ino);
    return (
      unixName(socketTable(root, "unix"), inode) ??
      tcpName(socketTable(root, "tcp"), inode) ??
      tcpName(socketTable(root, "tcp6"), inode) ??
      `fd:${descriptor}`
    );
  } catch {
    return `fd:${descriptor}`;
  }
}

function unixName(rows: string[][], inode: string): string | undefined {
  const path = rows
    .find((row) => row[6] === inode)
    ?.slice(7)
    .join(" ");
  return path === undefined ? undefined : `unix:${path}`;
}

function tcpName(rows: string[][], inode: string): string | undefined {
  const [address, port] = rows.find((row) => row[9] === inode)?.[1]?.split(":") ?? [];
  if (address === undefined || port === undefined) return undefined;
  const host = ipAddress(address);
  return `http://${host.includes(":") ? `[${host}]` : host}:${Number.parseInt(port, 16)}`;
}
