/** Opens the control socket, the read-only socket beside it, and the health endpoint. */
import { mkdirSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { type ListenOptions, Server as NetServer } from "node:net";
import { dirname } from "node:path";
import type { SecureContextOptions, Server as TlsServer } from "node:tls";
import { type SocketFile, setSocketAccess } from "../system/unix-socket.ts";
import { createJsonServer, type JsonServer, type Route, secureServers } from "./json-server.ts";
import { claimName, draftName, removeName, takeOverName } from "./socket-name.ts";

export interface OpenServer {
  /** Stops accepting and removes the socket's name. Pending responses, such as that of an upgrade, are still sent. */
  close(): void;
  /** Number of open connections. */
  connections(): Promise<number>;
  /** Ends the streams that are followed: their clients ask the server that serves from now on. */
  endStreams(): void;
}

export interface ControlServer extends OpenServer {
  readonly socket: SocketFile;
}

/**
 * Stops accepting, and ends the streams. The HTTP server's own `close` would also cut connections whose request has not
 * arrived yet.
 */
function stopListening(server: JsonServer): void {
  server.endStreams();
  NetServer.prototype.close.call(server);
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)));
}

function startListening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      server.unref();
      resolve();
    });
    server.listen({ ...options, exclusive: true });
  });
}

/** The access to a control socket. */
export interface SocketAccess {
  /** Permissions of the socket, and of its folder if that is missing. */
  readonly mode: number;
  readonly folderMode: number;
}

/** Only the owner: every client that can connect can send commands. */
const OWNER_ONLY: SocketAccess = { mode: 0o600, folderMode: 0o700 };
/** The group as well; in a folder with set-group-ID that is the folder's. */
export const GROUP_TOO: SocketAccess = { mode: 0o660, folderMode: 0o755 };

/** All permissions of users who are neither the owner nor in the group. */
const OTHERS = 0o007;

/**
 * Serves the routes of the control interface at `path`. Replaces a socket left behind by a dead server, and `inherited`, the
 * predecessor's socket.
 *
 * @throws Error with the reason on one line
 */
export async function openControlSocket(
  path: string,
  routes: readonly Route[],
  inherited?: SocketFile,
  access = OWNER_ONLY,
): Promise<ControlServer> {
  const draft = draftName(path);
  mkdirSync(dirname(path), { recursive: true, mode: access.folderMode });
  const server = createJsonServer(routes);
  rmSync(draft, { force: true });
  // listen() creates the socket synchronously, so no client can connect before its mode is right.
  const mask = process.umask(0o777 & ~access.mode);
  const bound = startListening(server, { path: draft });
  process.umask(mask);
  await bound;
  let socket: SocketFile;
  try {
    // The umask does not count in a folder with a default access control list.
    setSocketAccess(draft, { mode: access.mode });
    socket = (inherited && takeOverName(draft, inherited, path)) ?? (await claimName(draft, path));
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    socket,
    connections: () => countConnections(server),
    endStreams: () => server.endStreams(),
    close() {
      removeName(socket);
      stopListening(server);
    },
  };
}

type SecureServer = Pick<TlsServer, "setSecureContext">;

/** Address of the health endpoint. */
export type HealthAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The listening socket of a health server, which another arbiter can share. */
export interface HealthSocket {
  readonly descriptor: number;
  /** Present for a Unix socket. */
  readonly name?: SocketFile;
}

export interface HealthServer extends OpenServer {
  readonly socket: HealthSocket;
  readonly port: number | undefined;
  /** New connections get this certificate. Only for a server that speaks TLS. */
  secure(context: SecureContextOptions): void;
  /** Stops accepting but keeps the name: another arbiter accepts on the same socket. */
  leave(): void;
}

/**
 * Serves the health checks, over TLS if there is a certificate. The arbiter itself responds, so the endpoint works even if every worker is
 * blocked. Replaces a socket left behind by a dead server; `inherited` is one that another arbiter has bound there.
 *
 * @throws a system error, or an Error with the reason on one line, if the address cannot be bound
 */
export async function openHealthServer(
  address: HealthAddress,
  routes: readonly Route[],
  inherited?: HealthSocket,
  context?: SecureContextOptions,
): Promise<HealthServer> {
  const server = createJsonServer(routes, context && (await secureServers(context)));
  const name = await listenForHealth(server, address, inherited);
  const bound = server.address();
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return {
    socket: { descriptor: fd, ...(name !== undefined && { name }) },
    secure(next) {
      (server as unknown as Partial<SecureServer>).setSecureContext?.(next);
    },
    port: typeof bound === "object" && bound !== null ? bound.port : undefined,
    connections: () => countConnections(server),
    endStreams: () => server.endStreams(),
    leave: () => stopListening(server),
    close() {
      if (name !== undefined) removeName(name);
      stopListening(server);
    },
  };
}

/** Binds and listens. Returns the name of a Unix socket, otherwise undefined. */
async function listenForHealth(
  server: Server,
  address: HealthAddress,
  inherited: HealthSocket | undefined,
): Promise<SocketFile | undefined> {
  if (inherited !== undefined) {
    await startListening(server, { fd: inherited.descriptor } as ListenOptions);
    return inherited.name;
  }
  if (address.kind === "tcp") {
    await startListening(server, { host: address.host, port: address.port });
    return undefined;
  }
  const draft = draftName(address.path);
  rmSync(draft, { force: true });
  // A client that may connect may give the dashboard's commands, so the umask must never let everybody connect.
  const mask = process.umask();
  process.umask(mask | OTHERS);
  const listening = startListening(server, { path: draft });
  process.umask(mask);
  await listening;
  try {
    return await claimName(draft, address.path);
  } catch (error) {
    server.close();
    throw error;
  }
}
