/**
 * Binds sockets, and listens without accepting. How to bind without listening depends on the version of Node: with the
 * public BoundSocket, before it with the internal function behind `listen`, and with libc to share a port before Node
 * could. A second handle on the same descriptor then listens: the kernel queues connections, and the workers, which
 * inherit the descriptor, accept them.
 */
import { closeSync } from "node:fs";
import net from "node:net";
import { getSystemErrorName } from "node:util";
import { ExitCode, FatalError } from "../../errors.ts";
import { bindReusable } from "../../native/reusable-socket.ts";

export interface TcpBindAddress {
  /** An IP address, not a host name. */
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** Let other sockets that set it too bind the same address (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

export type BindAddress = TcpBindAddress | { readonly path: string };

/** The parts of Node's handles that are used here: the older undocumented handle, and the public BoundSocket. */
interface InternalHandle {
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
  ): InternalHandle | number;
};

/** The handles that bound the sockets, by descriptor. */
const bound = new Map<number, { close(): void }>();

/**
 * Handles whose descriptor another handle has closed. Keep them forever: a handle that is collected closes its
 * descriptor number, which may be in use again.
 */
const closedElsewhere: unknown[] = [];

/** Servers that listen and never accept, by descriptor. */
const listening = new Map<number, net.Server>();

/** The part of a server's internal handle that is used here. */
interface ServerHandle {
  readStart(): number;
  readStop(): number;
}

/** libuv's UV_TCP_IPV6ONLY and UV_TCP_REUSEPORT. */
const IPV6_ONLY = 1;
const REUSE_PORT = 2;

/** The first Node that supports SO_REUSEPORT for TCP. */
const REUSE_PORT_SINCE = [22, 12] as const;

/**
 * Binds without listening.
 *
 * @param bindError creates the error to throw from a system error code
 * @throws FatalError (usage) if this Node cannot share a port
 */
export function bindSocket(
  address: BindAddress,
  bindError: (code: string) => Error,
): { fd: number; port: number } {
  const { BoundSocket } = raw;
  if ("reusePort" in address && address.reusePort && !supportsReusePort()) {
    return bindWithLibc(address, bindError);
  }
  // The first releases of BoundSocket cannot bind paths.
  if (BoundSocket !== undefined && "isPipe" in BoundSocket.prototype) {
    try {
      const socket = new BoundSocket(address);
      const fd = socket.fd();
      bound.set(fd, socket);
      const local = socket.address();
      return { fd, port: typeof local === "object" ? local.port : 0 };
    } catch (error) {
      throw bindError((error as NodeJS.ErrnoException).code ?? String(error));
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
  if (typeof handle === "number") throw bindError(getSystemErrorName(handle));
  bound.set(handle.fd, handle);
  handle.unref();
  // libuv reports a port in use only here, not when it binds.
  const name: { port?: number } = {};
  const error = handle.getsockname?.(name) ?? 0;
  if (error !== 0) throw bindError(getSystemErrorName(error));
  return { fd: handle.fd, port: name.port ?? 0 };
}

function supportsReusePort(version = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [firstMajor, firstMinor] = REUSE_PORT_SINCE;
  // In the 23 line, 23.1 is the first.
  return major > firstMajor ? major !== 23 || minor > 0 : major === firstMajor && minor >= firstMinor;
}

function bindWithLibc(
  address: TcpBindAddress,
  bindError: (code: string) => Error,
): { fd: number; port: number } {
  try {
    return bindReusable(address);
  } catch (error) {
    const { syscall, code = "" } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) throw bindError(code);
    throw new FatalError(
      `reuse-port needs Node ${REUSE_PORT_SINCE.join(".")} or newer, or the package koffi on Linux; this is Node ${process.versions.node}`,
      ExitCode.usage,
      { cause: error },
    );
  }
}

/**
 * Makes the kernel queue connections on a bound socket until a worker accepts them. This process accepts none: it stops
 * polling in the same turn. That needs a second handle, since the handle that bound the socket cannot stop accepting.
 *
 * @param fd from `bindSocket`
 * @param backlog maximum number of waiting connections
 * @param bindError creates the error to throw from a system error code: a TCP port in use may be reported only here
 */
export async function listenWithoutAccepting(
  fd: number,
  backlog: number,
  bindError: (code: string) => Error,
): Promise<void> {
  const server = net.createServer();
  const listens = new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(bindError(error.code ?? error.message)));
    server.once("listening", resolve);
  });
  // Node ignores the backlog of `listen({ fd, backlog })`.
  server.listen({ fd }, backlog as never);
  const handle = (server as unknown as { _handle: ServerHandle | null })._handle;
  // `readStop` has no effect before `readStart`.
  handle?.readStart();
  handle?.readStop();
  await listens;
  server.unref();
  listening.set(fd, server);
}

/**
 * Closes a descriptor from `bindSocket`, or an inherited one. Leaves the file of a listening Unix socket: only the handle
 * that bound it would remove it.
 */
export function closeSocket(fd: number): void {
  const server = listening.get(fd);
  const handle = bound.get(fd);
  listening.delete(fd);
  bound.delete(fd);
  if (server !== undefined) {
    server.close();
    closedElsewhere.push(handle);
  } else if (handle !== undefined) handle.close();
  else closeSync(fd);
}
