/** Opens the control socket (mode 0600: who may connect may command) and the health endpoint. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { type ListenOptions, Server as NetServer } from "node:net";
import { dirname } from "node:path";
import type { SocketFile } from "../system/unix-socket.ts";
import type { Controllable } from "./api.ts";
import { createJsonServer } from "./json-server.ts";
import { controlRoutes, healthRoutes } from "./routes.ts";
import { claimName, draftName, removeName, takeName } from "./socket-name.ts";

export interface OpenServer {
  /** Takes no more connections, and gives its name up. An answer that is on its way, such as that of an upgrade, still goes out. */
  close(): void;
  /** How many connections are open. */
  connections(): Promise<number>;
}

export interface ControlServer extends OpenServer {
  readonly socket: SocketFile;
}

/** An HTTP server's own `close` cuts connections whose request has not come yet, too. */
function stopListening(server: Server): void {
  NetServer.prototype.close.call(server);
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)));
}

function listening(server: Server, options: ListenOptions): Promise<void> {
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

/**
 * Serves the control interface at `path`. A socket left behind by a dead server is replaced, and so is `held`, the one
 * of the server that this one follows, whose name it was.
 *
 * @throws Error with one line that says why it cannot be
 */
export async function openControlSocket(
  path: string,
  target: Controllable,
  held?: SocketFile,
): Promise<ControlServer> {
  const draft = draftName(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const server = createJsonServer(controlRoutes(target));
  rmSync(draft, { force: true });
  // The socket is made within the call, so nobody can connect before its mode is right.
  const mask = process.umask(0o177);
  const bound = listening(server, { path: draft });
  process.umask(mask);
  await bound;
  let socket: SocketFile;
  try {
    chmodSync(draft, 0o600);
    socket = (held && takeName(draft, held, path)) ?? (await claimName(draft, path));
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    socket,
    connections: () => connectionsOf(server),
    close() {
      removeName(socket);
      stopListening(server);
    },
  };
}

/** Where the health endpoint is bound. */
export type HealthAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** What a health server listens on: another arbiter can listen there as well. */
export interface HealthSocket {
  readonly descriptor: number;
  /** Of a Unix socket. */
  readonly name?: SocketFile;
}

export interface HealthServer extends OpenServer {
  readonly socket: HealthSocket;
  readonly port: number | undefined;
  /** Takes no more connections: another arbiter does, on the same socket. */
  leave(): void;
}

/**
 * Serves `/health/live` and `/health/ready`. It is the arbiter that answers, so the answer comes though
 * every worker is blocked. A socket left behind by a dead server is replaced; `inherited` is one that another
 * arbiter has bound there.
 *
 * @throws Error when the address cannot be bound: the system's, or one line that says why
 */
export async function openHealthServer(
  address: HealthAddress,
  target: Pick<Controllable, "health">,
  inherited?: HealthSocket,
): Promise<HealthServer> {
  const server = createJsonServer(healthRoutes(target));
  const name = await listenForHealth(server, address, inherited);
  const bound = server.address();
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return {
    socket: { descriptor: fd, ...(name !== undefined && { name }) },
    port: typeof bound === "object" && bound !== null ? bound.port : undefined,
    connections: () => connectionsOf(server),
    leave: () => stopListening(server),
    close() {
      if (name !== undefined) removeName(name);
      stopListening(server);
    },
  };
}

/** Returns the name of a Unix socket. */
async function listenForHealth(
  server: Server,
  address: HealthAddress,
  inherited: HealthSocket | undefined,
): Promise<SocketFile | undefined> {
  if (inherited !== undefined) {
    await listening(server, { fd: inherited.descriptor } as ListenOptions);
    return inherited.name;
  }
  if (address.kind === "tcp") {
    await listening(server, { host: address.host, port: address.port });
    return undefined;
  }
  const draft = draftName(address.path);
  rmSync(draft, { force: true });
  await listening(server, { path: draft });
  try {
    return await claimName(draft, address.path);
  } catch (error) {
    server.close();
    throw error;
  }
}
