/** Runs node:http request listeners as gateway handlers. A listener gets Node's own objects, not imitations. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { HttpError } from "../errors.ts";
import type { Handler } from "../gateway/types.ts";
import { createServer, METHODS } from "../native/http.ts";
import { BridgedExchange } from "./bridged-exchange.ts";
import { refuse } from "./refusal.ts";

/** A listener for `http.createServer`: an Express app, Koa's `callback()`, a plain function. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface ListenerOptions {
  /** Handles upgrade requests, like a server's `upgrade` and `connect` listeners. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;
}

/** Effectively no limit: the server that received the request has applied its own limits. */
const MAX_HEAD_BYTES = 1024 * 1024;

/**
 * Converts a request listener to a gateway handler. An exception or rejection of the listener becomes the handler's
 * error. The body is read when the listener reads it; both directions stream with backpressure.
 */
export function fromNodeListener(listener: RequestListener, options: ListenerOptions = {}): Handler {
  const exchanges = new WeakMap<Duplex, BridgedExchange>();
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    requireHostHeader: false,
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 0,
  });
  // Undocumented option: a client that has closed its sending side still gets its response.
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
  const run = (request: IncomingMessage, response: ServerResponse): void => {
    exchanges.get(request.socket)?.run(request, () => listener(request, response));
  };
  server.on("request", run).on("checkContinue", run);
  const { upgrade } = options;
  if (upgrade !== undefined) {
    const handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      exchanges.get(socket)?.run(request, () => upgrade(request, socket, head));
    };
    server.on("upgrade", handleUpgrade).on("connect", handleUpgrade);
  }
  server.on("clientError", (error, socket) => exchanges.get(socket)?.fail(error));
  return (request, respond) => {
    const { method } = request;
    const supported = method === "CONNECT" ? upgrade !== undefined : METHODS.includes(method);
    if (!supported)
      return refuse(new HttpError(501, `the app does not support the method ${method}`), respond);
    const exchange = new BridgedExchange(request, respond);
    exchanges.set(exchange.socket, exchange);
    return exchange.serve(server);
  };
}
