/**
 * Sends a worker its first request before it accepts clients. The app then has what it sets up on its first request
 * (caches, connections, compiled code), and a worker that cannot respond does not become ready.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { request } from "../native/http.ts";
import { nativeListen } from "../server/listen.ts";
import type { WorkerServer } from "../server/server.ts";

/**
 * Requests `path` from `server` over a private socket. The request timeout and the boot timeout limit it.
 *
 * @throws FatalError (worker boot) when the status is not 2xx
 */
export async function warmUp(server: WorkerServer, path: string): Promise<void> {
  // A random name: a restarted container has the same pids again, and may still have the old file.
  const socketPath = join(tmpdir(), `tsgun-warm-up-${randomBytes(8).toString("hex")}.sock`);
  let opened: Server | undefined;
  await server.open(async (listener) => {
    opened = listener;
    // Without `exclusive` node:cluster would listen in the arbiter.
    nativeListen.call(listener, { path: socketPath, exclusive: true });
    await once(listener, "listening");
  });
  try {
    const status = await requestStatus(socketPath, path);
    if (status >= 200 && status <= 299) return;
    throw new FatalError(`the warm-up request GET ${path} was answered with ${status}`, ExitCode.workerBoot);
  } finally {
    // Not http.Server's close, which tracks only the connections that it accepted itself.
    if (opened !== undefined) Server.prototype.close.call(opened);
  }
}

function requestStatus(socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: "localhost", connection: "close", "user-agent": "tsgun warm-up" };
    const warmUpRequest = request({ socketPath, path, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    });
    // Remove the socket once connected: if the response never comes, this process is killed and cannot clean up.
    warmUpRequest.on("socket", (socket) => socket.once("connect", () => rmSync(socketPath, { force: true })));
    warmUpRequest.on("error", (cause) => {
      const message = `the warm-up request GET ${path} was not answered: ${cause.message}`;
      reject(new FatalError(message, ExitCode.workerBoot, { cause }));
    });
    warmUpRequest.end();
  });
}
