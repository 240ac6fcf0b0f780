/**
 * A worker's own first request, before it takes anybody else's: what an app makes on its first request
 * (caches, connections, compiled code) is made, and a worker that cannot answer is not taken for ready.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { request } from "node:http";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import type { WorkerServer } from "../server/server.ts";

/**
 * Asks `server` for `path` over a socket of its own. The request timeout and the boot timeout are its limits.
 *
 * @throws FatalError (worker boot) when the answer is not 2xx
 */
export async function warmUp(server: WorkerServer, path: string): Promise<void> {
  // The same processes have the same numbers again when a container is started again, and what is left behind is there.
  const socketPath = join(tmpdir(), `tsgun-warm-up-${randomBytes(8).toString("hex")}.sock`);
  let opened: Server | undefined;
  await server.open(async (listener) => {
    opened = listener;
    // Exclusive: in a worker the arbiter would listen instead.
    listener.listen({ path: socketPath, exclusive: true });
    await once(listener, "listening");
  });
  try {
    const status = await ask(socketPath, path);
    if (status >= 200 && status <= 299) return;
    throw new FatalError(`the warm-up request GET ${path} was answered with ${status}`, ExitCode.workerBoot);
  } finally {
    // Not http's own close, which knows only of connections that it made itself.
    if (opened !== undefined) Server.prototype.close.call(opened);
  }
}

function ask(socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: "localhost", connection: "close", "user-agent": "tsgun warm-up" };
    const asking = request({ socketPath, path, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    });
    // Nobody else has to find it: should the answer never come, this process is killed, and could not clear up.
    asking.on("socket", (socket) => socket.once("connect", () => rmSync(socketPath, { force: true })));
    asking.on("error", (cause) => {
      const message = `the warm-up request GET ${path} was not answered: ${cause.message}`;
      reject(new FatalError(message, ExitCode.workerBoot, { cause }));
    });
    asking.end();
  });
}
