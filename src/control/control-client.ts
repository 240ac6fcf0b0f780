/** Asks a running server through its control socket. */
import { request } from "node:http";
import { ExitCode, FatalError } from "../errors.ts";
import { isAlive } from "./control-server.ts";
import { controlFolder, listControlSockets } from "./socket-path.ts";

export interface ControlReply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * The socket of the one server that runs, when none is named.
 *
 * @throws FatalError when none runs, or several do
 */
export async function findControlSocket(): Promise<string> {
  const alive: string[] = [];
  for (const path of listControlSockets()) if (await isAlive(path)) alive.push(path);
  if (alive.length === 1) return alive[0] as string;
  if (alive.length === 0) {
    throw new FatalError(
      `no server answers in ${controlFolder()}; name its socket with --control-socket`,
      ExitCode.failure,
    );
  }
  throw new FatalError(
    `several servers run; choose one with --control-socket: ${alive.join(", ")}`,
    ExitCode.usage,
  );
}

/**
 * Sends one request and waits for its outcome, however long that takes (a reload takes as long as the app
 * takes to boot).
 *
 * @throws FatalError when nobody answers at `socket`
 */
export function askControl(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      host: "tsgun",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    };
    const asking = request({ socketPath: socket, method, path, headers }, (response) => {
      response.setEncoding("utf8");
      let received = "";
      response.on("data", (piece: string) => {
        received += piece;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(received) });
        } catch {
          reject(new FatalError(`${socket} does not answer as a tsgun server does`, ExitCode.failure));
        }
      });
    });
    asking.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ECONNRESET" ? "the server went away before it answered" : error.message;
      reject(new FatalError(`cannot ask the server at ${socket}: ${why}`, ExitCode.failure));
    });
    asking.end(text);
  });
}
