/**
 * Sockets that are bound and do not listen yet, which Node can make in one way or another in every version: by the
 * public BoundSocket, by the function behind `listen` before that, and, to share a port before Node could, by libc.
 */
import { closeSync } from "node:fs";
import net from "node:net";
import { getSystemErrorName } from "node:util";
import { ExitCode, FatalError } from "../errors.ts";
import { bindReusable } from "../native/reusable-socket.ts";

export interface TcpEndpoint {
  /** An address, not a name. */
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** Others may bind it too, if they say so (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

export type Endpoint = TcpEndpoint | { readonly path: string };

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

/** Handles are held for good, by their descriptors: one that is collected closes its socket. */
const held = new Map<number, { close(): void }>();

/** libuv's UV_TCP_IPV6ONLY and UV_TCP_REUSEPORT. */
const IPV6_ONLY = 1;
const REUSE_PORT = 2;

/** The first Node whose TCP sockets know SO_REUSEPORT. */
const REUSE_SINCE = [22, 12] as const;

/**
 * Binds without listening. `trouble` makes the error from a system error code.
 * @throws FatalError (usage) where the port cannot be shared for want of a newer Node.
 */
export function openSocket(
  endpoint: Endpoint,
  trouble: (code: string) => Error,
): { fd: number; port: number } {
  const { BoundSocket } = raw;
  if ("reusePort" in endpoint && endpoint.reusePort && !knowsReusePort()) {
    return openByLibc(endpoint, trouble);
  }
  // The first releases of BoundSocket bind no paths.
  if (BoundSocket !== undefined && "isPipe" in BoundSocket.prototype) {
    try {
      const socket = new BoundSocket(endpoint);
      const fd = socket.fd();
      held.set(fd, socket);
      const address = socket.address();
      return { fd, port: typeof address === "object" ? address.port : 0 };
    } catch (error) {
      throw trouble((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }
  const handle =
    "path" in endpoint
      ? raw._createServerHandle(endpoint.path, -1, -1, undefined, 0)
      : raw._createServerHandle(
          endpoint.host,
          endpoint.port,
          net.isIP(endpoint.host),
          undefined,
          (endpoint.ipv6Only ? IPV6_ONLY : 0) | (endpoint.reusePort ? REUSE_PORT : 0),
        );
  if (typeof handle === "number") throw trouble(getSystemErrorName(handle));
  held.set(handle.fd, handle);
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

function openByLibc(endpoint: TcpEndpoint, trouble: (code: string) => Error): { fd: number; port: number } {
  try {
    return bindReusable(endpoint);
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

/** Closes a descriptor that `openSocket` gave, or that this process inherited. */
export function closeSocket(fd: number): void {
  const handle = held.get(fd);
  if (handle === undefined) closeSync(fd);
  else handle.close();
  held.delete(fd);
}
