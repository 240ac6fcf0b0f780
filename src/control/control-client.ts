/** Sends commands to a running server through its control socket. */

import { setTimeout as pause } from "node:timers/promises";
import { ExitCode, FatalError } from "../errors.ts";
import { request } from "../native/http.ts";

/** Retries: during an upgrade or its rollback the control socket may briefly have no name. */
export const MAX_ATTEMPTS = 6;
export const RETRY_DELAY_MS = 50;

export interface ControlReply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Sends one request and waits for its outcome, by default without a timeout: a reload takes as long as the app takes to
 * boot.
 *
 * @param timeout in milliseconds, for each attempt
 * @throws FatalError if no server answers at `socket`
 */
export async function requestControl(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  timeout?: number,
): Promise<ControlReply> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(socket, method, path, body, timeout);
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
  timeout: number | undefined,
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
    if (timeout !== undefined)
      outgoing.setTimeout(timeout, () => outgoing.destroy(new Error(`no answer within ${timeout / 1000}s`)));
    outgoing.end(text);
  });
}
