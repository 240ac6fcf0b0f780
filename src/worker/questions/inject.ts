/** One request to this worker's own server, over a connection in memory. */
import type { IncomingMessage } from "node:http";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { InjectedRequest, InjectedResponse } from "../../ipc/question.ts";
import { request } from "../../native/http.ts";
import type { WorkerServer } from "../../server/server.ts";
import { MemorySocket } from "./memory-socket.ts";

/** Content that is passed on; the rest is only counted. */
export const MAX_CONTENT_BYTES = 1024 * 1024;

/** The server and how it is reached. */
export interface InjectTarget {
  readonly server: WorkerServer;
  /** Undefined if it speaks a protocol of its own. */
  readonly scheme: "http" | "https" | undefined;
}

/** A listener of each server that does not listen: it gets the connections in memory. */
const listeners = new WeakMap<WorkerServer, Promise<Server>>();

/**
 * Sends the request and resolves with the response.
 * @throws Error with one line if there is no whole response in time
 */
export async function inject(target: InjectTarget, asked: InjectedRequest): Promise<InjectedResponse> {
  const { server, scheme } = target;
  if (scheme === undefined) throw new Error("its app serves a protocol of its own, not HTTP/1.1");
  const listener = await listenerOf(server);
  const [client, served] = MemorySocket.pair();
  listener.emit("connection", served);
  const startedAt = performance.now();
  const connection = scheme === "http" ? client : await encrypted(client);
  try {
    const response = await exchange(connection, asked);
    return { ...response, duration: Math.round((performance.now() - startedAt) * 1000) / 1000 };
  } finally {
    connection.destroy();
    client.destroy();
  }
}

function listenerOf(server: WorkerServer): Promise<Server> {
  const known = listeners.get(server);
  if (known !== undefined) return known;
  const opened = new Promise<Server>((resolve, reject) => {
    server.open(async (listener) => resolve(listener)).catch(reject);
  });
  // It is there once the server has added its own listeners, which is after this turn.
  const ready = opened.then(async (listener) => {
    await new Promise((resolve) => setImmediate(resolve));
    return listener;
  });
  listeners.set(server, ready);
  return ready;
}

/** The certificate is for others to check: both ends are this process. */
async function encrypted(client: MemorySocket): Promise<Duplex> {
  const { connect } = await import("node:tls");
  return connect({ socket: client as unknown as Socket, rejectUnauthorized: false });
}

function exchange(connection: Duplex, asked: InjectedRequest): Promise<Omit<InjectedResponse, "duration">> {
  const { method, target, headers, timeout } = asked;
  return new Promise((resolve, reject) => {
    const body = Buffer.from(asked.body, "base64");
    const outgoing = request({
      method,
      path: target,
      // Names and values in turn: node sends them as they are.
      headers: framed(method, headers, body.length).flat() as unknown as Record<string, string>,
      setHost: false,
      createConnection: () => connection as Socket,
    });
    const timer = setTimeout(() => {
      reject(new Error(`no response within ${timeout / 1000} s`));
      outgoing.destroy();
    }, timeout);
    const settled =
      <T>(then: (value: T) => void) =>
      (value: T): void => {
        clearTimeout(timer);
        then(value);
      };
    const failed = settled((error: Error) => reject(new Error(`no whole response: ${error.message}`)));
    outgoing.on("error", failed);
    outgoing.on("response", (response) => collect(response, settled(resolve), failed));
    outgoing.on("upgrade", (response, socket) => {
      socket.destroy();
      settled(resolve)({ ...headOf(response), body: "", bytes: 0 });
    });
    outgoing.end(body.length > 0 ? body : undefined);
  });
}

const WITHOUT_CONTENT: readonly string[] = ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"];

/** Adds the fields that a client would: Host, the length of the content, and that this is the last request. */
function framed(method: string, headers: InjectedRequest["headers"], length: number): [string, string][] {
  const has = (name: string): boolean => headers.some(([each]) => each.toLowerCase() === name);
  const added: [string, string][] = [];
  if (!has("host")) added.push(["host", "localhost"]);
  if (!has("connection")) added.push(["connection", "close"]);
  const isFramed = has("content-length") || has("transfer-encoding");
  if (!isFramed && (length > 0 || !WITHOUT_CONTENT.includes(method)))
    added.push(["content-length", String(length)]);
  return [...headers.map(([name, value]): [string, string] => [name, value]), ...added];
}

function headOf(response: IncomingMessage): Pick<InjectedResponse, "status" | "headers"> {
  const { statusCode = 0, rawHeaders } = response;
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    headers.push([rawHeaders[index] as string, rawHeaders[index + 1] as string]);
  return { status: statusCode, headers };
}

function collect(
  response: IncomingMessage,
  done: (response: Omit<InjectedResponse, "duration">) => void,
  failed: (error: Error) => void,
): void {
  const kept: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    const room = MAX_CONTENT_BYTES - bytes;
    if (room > 0) kept.push(chunk.subarray(0, room));
    bytes += chunk.length;
  });
  response.on("error", failed);
  response.on("end", () =>
    done({ ...headOf(response), body: Buffer.concat(kept).toString("base64"), bytes }),
  );
}
