/** A small HTTP server that serves JSON from a table of routes. Responses to bad requests say why in one line. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { HttpError } from "../errors.ts";
import { createServer } from "../native/http.ts";

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** A path; `:name` matches one segment. */
  readonly path: string;
  handle(parameters: Readonly<Record<string, string>>, body: unknown): Reply | Promise<Reply>;
}

/** Maximum connections of a server. One more replaces the connection that has been idle longest. */
export const MAX_CONNECTIONS = 64;

/** Requests are small and arrive at once; a slower client only occupies a descriptor. Times are milliseconds. */
const LIMITS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
};

/** Control requests are a few bytes; anything larger is a mistake. */
const MAX_BODY_BYTES = 65536;

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] as string;
    if (segment.startsWith(":")) parameters[segment.slice(1)] = value;
    else if (segment !== value) return undefined;
  }
  return parameters;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, "the request is too large");
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, "the request body is not JSON");
  }
}

async function dispatch(routes: readonly Route[], request: IncomingMessage): Promise<Reply> {
  const path = (request.url ?? "/").split("?")[0] as string;
  const method = request.method === "HEAD" ? "GET" : request.method;
  const found = routes.flatMap((route) => {
    const parameters = match(route.path, path);
    return parameters === undefined ? [] : [{ route, parameters }];
  });
  if (found.length === 0) throw new HttpError(404, `unknown path ${path}`);
  const chosen = found.find(({ route }) => route.method === method);
  if (chosen === undefined) {
    const methods = found.map(({ route }) => route.method).join(", ");
    throw new HttpError(405, `${path} accepts ${methods}, not ${request.method}`);
  }
  const body = chosen.route.method === "POST" ? await readJson(request) : undefined;
  return chosen.route.handle(chosen.parameters, body);
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const text = `${JSON.stringify(reply.body, undefined, 2)}\n`;
  response.writeHead(reply.status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    // After an upgrade the next request must reach the new arbiter.
    connection: "close",
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/**
 * Limits the open connections of one server. Idle and slow clients cannot lock others out: the connection that has been
 * idle longest is closed to make room.
 */
class ConnectionLimiter {
  /** Most recently active last. */
  readonly #open = new Set<Socket>();
  /** Connections whose response is pending. */
  readonly #responding = new Set<Socket>();

  onConnect(socket: Socket): void {
    socket.once("close", () => this.#remove(socket));
    this.#open.add(socket);
    if (this.#open.size <= MAX_CONNECTIONS) return;
    // If all others are waiting for an outcome, this closes the new connection itself.
    for (const other of this.#open) {
      if (this.#responding.has(other)) continue;
      other.destroy();
      this.#remove(other);
      return;
    }
  }

  onRequest(socket: Socket): void {
    if (!this.#open.delete(socket)) return;
    this.#open.add(socket);
    this.#responding.add(socket);
  }

  onResponse(socket: Socket): void {
    this.#responding.delete(socket);
  }

  #remove(socket: Socket): void {
    this.#open.delete(socket);
    this.#responding.delete(socket);
  }
}

/** Creates the server; it does not listen yet. */
export function createJsonServer(routes: readonly Route[]): Server {
  const connections = new ConnectionLimiter();
  const server = createServer(LIMITS, (request, response) => {
    connections.onRequest(request.socket);
    dispatch(routes, request)
      .catch((error: unknown): Reply => {
        const status = error instanceof HttpError ? error.status : 500;
        return { status, body: { ok: false, error: (error as Error).message } };
      })
      .then((reply) => send(request, response, reply))
      .catch(() => response.destroy())
      .finally(() => connections.onResponse(request.socket));
  });
  server.on("connection", (socket) => connections.onConnect(socket));
  return server;
}
