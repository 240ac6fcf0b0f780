/** A small HTTP server over a table of routes. Responses to bad requests say why in one line, as JSON. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { SecureContextOptions } from "node:tls";
import { HttpError } from "../errors.ts";
import { createServer } from "../native/http.ts";
import { ConnectionLimiter } from "./connection-limiter.ts";
import { type Asked, isStream, type Reply, readAsked, sendReply } from "./reply.ts";

/**
 * The senders that a route is for: operators alone; readers too, on the read-only socket; or also load balancers and scrapers, on
 * the admin listener.
 */
export type Audience = "operator" | "reader" | "probe";

const AUDIENCES: readonly Audience[] = ["operator", "reader", "probe"];

export interface Route {
  readonly method: "GET" | "POST";
  /** A path; `:name` matches one segment. */
  readonly path: string;
  /** Default: `operator`. */
  readonly audience?: Audience;
  /** Leaves out of a reply what readers must not see. */
  readonly redact?: (reply: Reply) => Reply;
  /** @throws HttpError for a request that it cannot serve */
  handle(parameters: Readonly<Record<string, string>>, body: unknown, asked: Asked): Reply | Promise<Reply>;
}

/** The routes of a table that `audience` may use. */
export function routesFor(routes: readonly Route[], audience: Audience): Route[] {
  const least = AUDIENCES.indexOf(audience);
  return routes.filter((route) => AUDIENCES.indexOf(route.audience ?? "operator") >= least);
}

/** The routes of the read-only socket: the rest of the table is refused with a reason. */
export function readOnlyRoutes(routes: readonly Route[]): Route[] {
  const shown = routesFor(routes, "reader");
  const redacted = (route: Route): Route => {
    const { redact } = route;
    if (redact === undefined) return route;
    return { ...route, handle: async (...asked) => redact(await route.handle(...asked)) };
  };
  const refuse = ({ method, path }: Route): Route => ({
    method,
    path,
    handle() {
      const what = method === "GET" ? path : `${method} ${path}`;
      throw new HttpError(403, `${what} is not served on the read-only socket: use the control socket`);
    },
  });
  return [...shown.map(redacted), ...routes.filter((route) => !shown.includes(route)).map(refuse)];
}

/** Streams that are followed at once. They are never closed to make room, so they must leave some. */
export const MAX_STREAMS = 16;

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

async function dispatch(
  routes: readonly Route[],
  request: IncomingMessage,
  gone: AbortSignal,
  received: () => void,
): Promise<Reply> {
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
  received();
  return chosen.route.handle(chosen.parameters, body, readAsked(request, gone));
}

/** Returns a signal that is aborted if the client goes before it has its response. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** An HTTP server whose streams can be ended. */
export interface JsonServer extends Server {
  /** Ends the streams that are followed: the process ends, or another one serves from now on. */
  endStreams(): void;
}

/** Makes a server of HTTP, in cleartext or over TLS. */
export type MakeServer = (limits: typeof LIMITS, respond: RequestListener) => Server;

/** Makes servers that speak TLS only. */
export async function secureServers(context: SecureContextOptions): Promise<MakeServer> {
  const { createServer: createSecure } = await import("node:https");
  const handshakeTimeout = LIMITS.headersTimeout;
  return (limits, respond) =>
    createSecure({ ...limits, ...context, handshakeTimeout }, respond) as unknown as Server;
}

/** Creates the server; it does not listen yet. */
export function createJsonServer(
  routes: readonly Route[],
  makeServer: MakeServer = createServer,
): JsonServer {
  const connections = new ConnectionLimiter();
  const streams = new Set<ServerResponse>();
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A client that is slow with its content still makes room for others.
    const received = (): void => connections.onRequest(request.socket);
    const reply = await dispatch(routes, request, goneSignal(response), received).catch(failure);
    if (!isStream(reply)) return await sendReply(request, response, reply);
    if (streams.size >= MAX_STREAMS) return await sendReply(request, response, tooManyStreams());
    streams.add(response);
    await sendReply(request, response, reply).finally(() => streams.delete(response));
  };
  const server = makeServer(LIMITS, (request, response) => {
    respond(request, response)
      .catch(() => response.destroy())
      .finally(() => connections.onResponse(request.socket));
  });
  // Every response ends its connection: requests that are pipelined behind the first, thousands in one packet, get a 503.
  server.maxRequestsPerSocket = 1;
  // Over TLS a request knows only the socket around that of its connection.
  const connected = "setSecureContext" in server ? "secureConnection" : "connection";
  server.on(connected, (socket) => connections.onConnect(socket));
  const endStreams = (): void => {
    for (const response of streams) response.end();
  };
  return Object.assign(server, { endStreams });
}

function failure(error: unknown): Reply {
  const status = error instanceof HttpError ? error.status : 500;
  return { status, body: { ok: false, error: (error as Error).message } };
}

function tooManyStreams(): Reply {
  return failure(new HttpError(503, `${MAX_STREAMS} streams are followed already: end one and try again`));
}
