/** Follows a stream of a running server: records as they happen, one line of JSON each. */
import type { IncomingMessage } from "node:http";
import { ExitCode, FatalError } from "../errors.ts";
import { request } from "../native/http.ts";
import type { ControlReply } from "./control-client.ts";
import { NDJSON_TYPE } from "./reply.ts";

/** No record is as long: what sends one is no tsgun server. */
const MAX_LINE = 1_000_000;

/**
 * Calls `each` with every record until the stream ends or `signal` is aborted. Returns the reply of a server that does not
 * send a stream; undefined once a stream has ended.
 *
 * @throws FatalError if no server answers at `socket`
 */
export async function followControl(
  socket: string,
  path: string,
  each: (record: unknown) => void,
  signal: AbortSignal,
): Promise<ControlReply | undefined> {
  let response: IncomingMessage;
  try {
    response = await open(socket, path, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw new FatalError(
      `cannot reach the server at ${socket}: ${(error as Error).message}`,
      ExitCode.failure,
    );
  }
  const isStream = response.headers["content-type"]?.startsWith(NDJSON_TYPE) === true;
  if (!isStream) return { status: response.statusCode ?? 0, body: await wholeOf(response) };
  try {
    for await (const line of lines(response)) each(JSON.parse(line));
  } catch (error) {
    // A server that is killed breaks the stream off, which ends it as well.
    if (error instanceof SyntaxError || error instanceof RangeError)
      throw new FatalError(`${socket} is not the control socket of a tsgun server`, ExitCode.failure);
    if (!isConnectionError(error)) throw error;
  }
  return undefined;
}

function isConnectionError(error: unknown): boolean {
  const { code = "", name = "" } = error as NodeJS.ErrnoException;
  return (
    ["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ABORT_ERR"].includes(code) || name === "AbortError"
  );
}

function open(socketPath: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { host: "tsgun", accept: NDJSON_TYPE };
    request({ socketPath, path, headers, signal, agent: false }, resolve).on("error", reject).end();
  });
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of response.setEncoding("utf8")) {
    const parts = (rest + piece).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > MAX_LINE) throw new RangeError("a line is too long");
    for (const part of parts) if (part !== "") yield part;
  }
}

async function wholeOf(response: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const piece of response.setEncoding("utf8")) text += piece;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
