/** Obtains the listening sockets: from the previous arbiter in an upgrade, from systemd, or by binding them. */
import { fstatSync } from "node:fs";
import type { Address } from "../../config/address.ts";
import { ipAddress, socketTable } from "../../system/socket-table.ts";
import { claimActivatedSockets } from "../../systemd/activation.ts";
import { type BindOptions, bindAgain, bindAll, fileLoss, type Listener } from "./bind.ts";
import { closeSocket } from "./open-socket.ts";

/**
 * Returns the sockets passed by systemd; without any, binds the addresses of `bind`.
 * @throws FatalError if a socket that systemd announced is missing, or an address cannot be bound
 */
export async function openSockets(
  bind: readonly Address[],
  options: BindOptions,
): Promise<readonly Listener[]> {
  const activated = claimActivatedSockets();
  if (activated.length === 0) return await bindAll(bind, options);
  return activated.map(({ fd }) => ({
    descriptor: fd,
    url: withScheme(socketUrl(fd), options),
    activated: true,
  }));
}

/**
 * Takes over the sockets of the previous arbiter. Binds again those whose file is gone.
 * @throws FatalError if one cannot be bound again
 */
export async function adoptSockets(
  inherited: readonly Listener[],
  options: BindOptions,
): Promise<readonly Listener[]> {
  return await Promise.all(
    inherited.map(async (before) => {
      // The previous arbiter may not have spoken TLS, or this one does not.
      const listener = { ...before, url: withScheme(before.url, options) };
      if (fileLoss(listener) === undefined) return listener;
      const renewed = await bindAgain(listener, options);
      closeSocket(listener.descriptor);
      return renewed;
    }),
  );
}

function withScheme(url: string, { scheme = "http" }: BindOptions): string {
  return url.replace(/^https?:/, `${scheme}:`);
}

/** Returns the URL of a listening socket that another program bound, from the kernel's socket tables. */
export function socketUrl(descriptor: number, root = "/"): string {
  try {
    const inode = String(fstatSync(descriptor).ino);
    return (
      unixUrl(socketTable(root, "unix"), inode) ??
      tcpUrl(socketTable(root, "tcp"), inode) ??
      tcpUrl(socketTable(root, "tcp6"), inode) ??
      `fd:${descriptor}`
    );
  } catch {
    return `fd:${descriptor}`;
  }
}

function unixUrl(rows: string[][], inode: string): string | undefined {
  const path = rows
    .find((row) => row[6] === inode)
    ?.slice(7)
    .join(" ");
  return path === undefined ? undefined : `unix:${path}`;
}

function tcpUrl(rows: string[][], inode: string): string | undefined {
  const [address, port] = rows.find((row) => row[9] === inode)?.[1]?.split(":") ?? [];
  if (address === undefined || port === undefined) return undefined;
  const host = ipAddress(address);
  return `http://${host.includes(":") ? `[${host}]` : host}:${Number.parseInt(port, 16)}`;
}
