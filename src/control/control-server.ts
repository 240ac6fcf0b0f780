/** Opens the control socket (mode 0600: who may connect may command) and the health endpoint. */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { Controllable } from "./api.ts";
import { createJsonServer } from "./json-server.ts";
import { controlRoutes, healthRoutes } from "./routes.ts";
import { SOCKET_PATH_MAX } from "./socket-path.ts";

export interface OpenServer {
  close(): void;
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** True when somebody answers at this socket. */
export function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function clear(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`${path} exists and is no socket`);
  if (await isAlive(path)) throw new Error(`${path} belongs to another server`);
  unlinkSync(path);
}

/**
 * Serves the control interface at `path`. A socket left behind by a dead server is replaced.
 *
 * @throws Error with one line that says why it cannot be
 */
export async function openControlSocket(path: string, target: Controllable): Promise<OpenServer> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new Error(`${path} is longer than ${SOCKET_PATH_MAX} bytes, the most for a socket`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await clear(path);
  const server = createJsonServer(controlRoutes(target));
  // The socket is made within the call, so nobody can connect before its mode is right.
  await listening(server, () => {
    const mask = process.umask(0o177);
    try {
      server.listen({ path, exclusive: true });
    } finally {
      process.umask(mask);
    }
  });
  chmodSync(path, 0o600);
  server.unref();
  return {
    // An answer that is on its way, such as that of an upgrade, still goes out.
    close: () => void server.close(),
  };
}

/** Where the health endpoint is bound. */
export type HealthAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Serves `/health/live` and `/health/ready`. It is the arbiter that answers, so the answer comes though
 * every worker is blocked. A socket left behind by a dead server is replaced.
 *
 * @throws Error when the address cannot be bound: the system's, or one line that says why
 */
export async function openHealthServer(
  address: HealthAddress,
  target: Pick<Controllable, "health">,
): Promise<OpenServer & { readonly port: number | undefined }> {
  if (address.kind === "unix") await clear(address.path);
  const server = createJsonServer(healthRoutes(target));
  const options =
    address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  await listening(server, () => server.listen({ ...options, exclusive: true }));
  server.unref();
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : undefined,
    // An answer that is on its way, such as that of an upgrade, still goes out.
    close: () => void server.close(),
  };
}
