/**
 * Listening sockets of which this process accepts nothing. Node binds without listening in one way or another in every
 * version: by the public BoundSocket, by the function behind `listen` before that, and, to share a port before Node
 * could, by libc. A second handle on the same descriptor then listens: the kernel queues connections, and the workers,
 * which inherit the descriptor, accept them.
 */
import { closeSync } from "node:fs";
import net from "node:net";
import { getSystemErrorName } from "node:util";
import { ExitCode, FatalError } from "../../errors.ts";
import { bindReusable } from "../../native/reusable-socket.ts";

export interface TcpBindAddress {
  /** An address, not a name. */
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** Others may bind it too, if they say so (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

export type BindAddress = TcpBindAddress | { readonly path: string };

/** What is used of node's handles; the public BoundSocket and the older undocumented one. */
interface OldHandle {
  readonly fd: number;
  getsockname?(address: { port?: number }): number;
  unref(): void;
  close(): void;
}
interface BoundSocket {
  address(): { port: number } | string;
  fd(): number;
  close(): void;
}
const raw = net as unknown as {
  BoundSocket?: { new (options: object): BoundSocket; prototype: object };
  _createServerHandle(
    host: string,
    port: number,
    family: number,
    fd: undefined,
    flags: number,
  ): OldHandle | number;
};

/** Handles that have bound a socket, by its descriptor. */
const bound = new Map<number, { close(): void }>();

/**
 * Handles whose descriptor another handle has closed. They are held for good: one that is collected closes the
 * descriptor of that number, which is somebody else's by then.
 */
const spent: unknown[] = [];

/** Servers that listen and never accept, by their descriptors. */
const listening = new Map<number, net.Server>();

/** The handle below a server, as far as it is used. */
interface ServerHandle {
  readStart(): number;
  readStop(): number;
}

/** libuv's UV_TCP_IPV6ONLY and UV_TCP_REUSEPORT. */
const IPV6_ONLY = 1;
const REUSE_PORT = 2;

/** The first Node whose TCP sockets know SO_REUSEPORT. */
const REUSE_SINCE = [22, 12] as const;

/**
 * Binds without listening. `trouble` makes the error from a system error code.
 * @throws FatalError (usage) where the port cannot be shared for want of a newer Node.
 */
export function bindSocket(
  address: BindAddress,
  trouble: (code: string) => Error,
): { fd: number; port: number } {
  const { BoundSocket } = raw;
  if ("reusePort" in address && address.reusePort && !knowsReusePort()) {
    return openByLibc(address, trouble);
  }
  // The first releases of BoundSocket bind no paths.
  if (BoundSocket !== undefined && "isPipe" in BoundSocket.prototype) {
    try {
      const socket = new BoundSocket(address);
      const fd = socket.fd();
      bound.set(fd, socket);
      const local = socket.address();
      return { fd, port: typeof local === "object" ? local.port : 0 };
    } catch (error) {
      throw trouble((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }
  const handle =
    "path" in address
      ? raw._createServerHandle(address.path, -1, -1, undefined, 0)
      : raw._createServerHandle(
          address.host,
          address.port,
          net.isIP(address.host),
          undefined,
          (address.ipv6Only ? IPV6_ONLY : 0) | (address.reusePort ? REUSE_PORT : 0),
        );
  if (typeof handle === "number") throw trouble(getSystemErrorName(handle));
  bound.set(handle.fd, handle);
  handle.unref();
  // A taken port shows when the name is asked for, not when it is bound.
  const name: { port?: number } = {};
  const error = handle.getsockname?.(name) ?? 0;
  if (error !== 0) throw trouble(getSystemErrorName(error));
  return { fd: handle.fd, port: name.port ?? 0 };
}

function knowsReusePort(version = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [since, from] = REUSE_SINCE;
  return major > since ? major !== 23 || minor > 0 : major === since && minor >= from;
}

function openByLibc(address: TcpBindAddress, trouble: (code: string) => Error): { fd: number; port: number } {
  try {
    return bindReusable(address);
  } catch (error) {
    const { syscall, code = "" } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) throw trouble(code);
    throw new FatalError(
      `reuse-port takes Node ${REUSE_SINCE.join(".")} or newer, or the package koffi on Linux: this is Node ${process.versions.node}`,
      ExitCode.usage,
      { cause: error },
    );
  }
}

/**
 * Has the kernel queue connections on a bound socket until a worker accepts them. This process accepts none: it stops
 * polling in the same turn. That takes a second handle, since the one that has bound goes on accepting whatever it is told.
 *
 * @param fd what `bindSocket` gave
 * @param backlog how many connections may wait (gunicorn: `backlog`)
 * @param trouble makes the error from a system error code: a taken TCP port may show only here
 */
export async function listenWithoutAccepting(
  fd: number,
  backlog: number,
  trouble: (code: string) => Error,
): Promise<void> {
  const server = net.createServer();
  const listens = new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(trouble(error.code ?? error.message)));
    server.once("listening", resolve);
  });
  // The backlog is read from the second argument: `listen({ fd, backlog })` ignores it.
  server.listen({ fd }, backlog as never);
  const handle = (server as unknown as { _handle: ServerHandle | null })._handle;
  // Before `readStart` there is nothing to stop.
  handle?.readStart();
  handle?.readStop();
  await listens;
  server.unref();
  listening.set(fd, server);
}

/**
 * Closes a descriptor that `bindSocket` gave, or that this process inherited. The file of a Unix socket that listens
 * stays: only the handle that has bound it would remove it.
 */
export function closeSocket(fd: number): void {
  const server = listening.get(fd);
  const handle = bound.get(fd);
  listening.delete(fd);
  bound.delete(fd);
  if (server !== undefined) {
    server.close();
    spent.push(handle);
  } else if (handle !== undefined) handle.close();
  else closeSync(fd);
}
