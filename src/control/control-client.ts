/** Asks a running server through its control socket. */
import { request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ExitCode, FatalError } from "../errors.ts";
import { controlFolder, liveControlSockets } from "./socket-path.ts";

/** While a server is handed on, or taken back, it may be known by no name for a moment: how often it is looked for, and when. */
const TRIES = 6;
const TRY_EVERY_MS = 50;

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
  let alive = await liveControlSockets();
  for (let tries = 1; alive.length === 0 && tries < TRIES; tries++) {
    await pause(TRY_EVERY_MS);
    alive = await liveControlSockets();
  }
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
export async function askControl(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<ControlReply> {
  for (let tries = 1; ; tries++) {
    try {
      return await askOnce(socket, method, path, body);
    } catch (error) {
      if (error instanceof FatalError) throw error;
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (tries === TRIES || !mayBeAskedAgain(method, code)) {
        const why = code === "ECONNRESET" ? "the server went away before it answered" : message;
        throw new FatalError(`cannot ask the server at ${socket}: ${why}`, ExitCode.failure);
      }
      await pause(TRY_EVERY_MS);
    }
  }
}

/** Where nobody has been reached nothing has been done; and to ask how things are does nothing. */
function mayBeAskedAgain(method: "GET" | "POST", code: string): boolean {
  return (
    code === "ENOENT" ||
    code === "ECONNREFUSED" ||
    (method === "GET" && (code === "ECONNRESET" || code === "EPIPE"))
  );
}

function askOnce(socket: string, method: "GET" | "POST", path: string, body: unknown): Promise<ControlReply> {
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
    asking.on("error", reject);
    asking.end(text);
  });
}
