/** Sends commands to a running server through its control socket. */
import { request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ExitCode, FatalError } from "../errors.ts";
import { controlFolder, liveControlSockets } from "./socket-path.ts";

/** Retries: during an upgrade or its rollback the control socket may briefly have no name. */
const MAX_ATTEMPTS = 6;
const RETRY_DELAY_MS = 50;

export interface ControlReply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Finds the control socket of the only running server, for commands that name none.
 *
 * @throws FatalError if none is running, or several are
 */
export async function findControlSocket(): Promise<string> {
  let alive = await liveControlSockets();
  for (let attempt = 1; alive.length === 0 && attempt < MAX_ATTEMPTS; attempt++) {
    await pause(RETRY_DELAY_MS);
    alive = await liveControlSockets();
  }
  if (alive.length === 1) return alive[0] as string;
  if (alive.length === 0) {
    throw new FatalError(
      `no running server found in ${controlFolder()}; name its socket with --control-socket`,
      ExitCode.failure,
    );
  }
  throw new FatalError(
    `several servers are running; choose one with --control-socket: ${alive.join(", ")}`,
    ExitCode.usage,
  );
}

/**
 * Sends one request and waits for its outcome, without a timeout: a reload takes as long as the app takes to boot.
 *
 * @throws FatalError if no server answers at `socket`
 */
export async function requestControl(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<ControlReply> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(socket, method, path, body);
    } catch (error) {
      if (error instanceof FatalError) throw error;
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (attempt === MAX_ATTEMPTS || !isRetryable(method, code)) {
        const why = code === "ECONNRESET" ? "it closed the connection without a response" : message;
        throw new FatalError(`cannot reach the server at ${socket}: ${why}`, ExitCode.failure);
      }
      await pause(RETRY_DELAY_MS);
    }
  }
}

/** Whether retrying is safe: the server was never reached, or the request changes nothing. */
function isRetryable(method: "GET" | "POST", code: string): boolean {
  return (
    code === "ENOENT" ||
    code === "ECONNREFUSED" ||
    (method === "GET" && (code === "ECONNRESET" || code === "EPIPE"))
  );
}

function sendOnce(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body: unknown,
): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      host: "tsgun",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    };
    const outgoing = request({ socketPath: socket, method, path, headers }, (response) => {
      response.setEncoding("utf8");
      let payload = "";
      response.on("data", (piece: string) => {
        payload += piece;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(payload) });
        } catch {
          reject(new FatalError(`${socket} is not the control socket of a tsgun server`, ExitCode.failure));
        }
      });
    });
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}
