/**
 * `tsgun/node`: gateway apps on Node's http.Server, Node request listeners as gateway apps, and the current worker for
 * a listener.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { joinFields } from "../gateway/fields.ts";
import { isHost } from "../gateway/host.ts";
import type { App, Handler } from "../gateway/types.ts";
import { isTarget } from "../http/grammar.ts";
import { detachedResponse } from "./detached-response.ts";
import { asksForUpgrade, hasContent } from "./framing.ts";
import { HostedApp, type HostOptions } from "./hosted-app.ts";
import { NodeConnection } from "./node-connection.ts";
import { NodeExchange } from "./node-exchange.ts";

export { currentWorker } from "./current-worker.ts";
export type { HostOptions } from "./hosted-app.ts";
export { fromNodeListener, type ListenerOptions, type RequestListener } from "./node-handler.ts";

/**
 * A request listener and its companions. `http.createServer(listener)` serves plain requests;
 * `listener.attach(http.createServer())` supports the whole interface.
 */
export interface NodeListener {
  /** Listener for `request`, and for `checkContinue`, which delays 100 Continue until the body is first read. */
  (request: IncomingMessage, response: ServerResponse): void;
  /** Listener for `upgrade` and `connect`: lets the app take over connections. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Adds the listeners for all these events to `server` and returns it. */
  attach<S extends Server>(server: S): S;
  /** Start-up begins at once. Resolves when the app has started; rejects with the error of its `startup`. */
  readonly ready: Promise<void>;
  /** Drains the app, waits for its last response and shuts it down. Close the server first. */
  close(): Promise<void>;
}

/**
 * Converts a gateway app to a request listener for node:http (or node:https). Requests wait until the app has started; if
 * it fails to start, they get a 503.
 */
export function toNodeListener<State = unknown>(
  app: App<State> | Handler<State>,
  options: HostOptions = {},
): NodeListener {
  const hosted = new HostedApp(app as App | Handler, options);
  const connections = new WeakMap<Duplex, NodeConnection>();

  function serve(request: IncomingMessage, response: ServerResponse, upgradeHead?: Buffer): void {
    const socket = request.socket;
    let connection = connections.get(socket);
    if (connection === undefined) {
      connection = new NodeConnection(socket);
      connections.set(socket, connection);
      allowHalfOpen(socket);
    }
    if (followsLastResponse(request, response)) return;
    if (!isValid(request)) {
      response.writeHead(400, { connection: "close" }).end();
      connection.closeAfterCurrent();
      return;
    }
    const to = connection;
    connection.enqueue(() => begin(request, response, to, upgradeHead));
  }

  function begin(
    request: IncomingMessage,
    response: ServerResponse,
    connection: NodeConnection,
    upgradeHead: Buffer | undefined,
  ): NodeExchange {
    const transport = new NodeExchange(request, response, {
      bodyLimit: hosted.bodyLimit,
      expectsContinue: expectsContinue(request, response),
      upgradeHead,
      connection,
      draining: () => hosted.draining,
    });
    const head = {
      method: request.method as string,
      target: request.url as string,
      httpVersion: request.httpVersion === "1.0" ? "1.0" : "1.1",
      rawHeaders: request.rawHeaders,
      upgrade: upgradeHead !== undefined,
      source: request,
    } as const;
    const exchange = hosted.open(head, connection, transport.body, transport);
    transport.attach(exchange);
    hosted.run(exchange);
    return transport;
  }

  const listener = ((request, response) => serve(request, response)) as NodeListener;
  listener.upgrade = (request, socket, head) => {
    socket.on("error", () => {});
    const response = detachedResponse(request, socket);
    const fields = joinFields(request.rawHeaders);
    const upgrade = asksForUpgrade(request.method as string, request.httpVersion, fields);
    if (upgrade && hasContent(request.method, request.headers)) {
      // Node treats the content of such a request as bytes after it, so it cannot be read safely.
      response.writeHead(501, { connection: "close" }).end();
    } else serve(request, response, upgrade ? head : undefined);
  };
  listener.attach = (server) => {
    server.on("request", listener).on("checkContinue", listener);
    server.on("upgrade", listener.upgrade).on("connect", listener.upgrade);
    return server;
  };
  listener.close = () => hosted.close();
  return Object.assign(listener, { ready: hosted.ready });
}

/** Node accepts some requests that RFC 9112 (section 3.2) forbids: a Host or a target with userinfo, and the like. */
function isValid({ method = "", url = "", headers }: IncomingMessage): boolean {
  return isTarget(method, url) && (headers.host === undefined || isHost(headers.host));
}

/** Without a `checkContinue` listener Node sends 100 Continue itself and records it on the response. */
function expectsContinue(request: IncomingMessage, response: ServerResponse): boolean {
  const sent = (response as { _sent100?: boolean })._sent100 === true;
  return !sent && request.httpVersion !== "1.0" && /^100-continue$/i.test(request.headers.expect ?? "");
}

/**
 * Node answers some requests itself (400 without Host, 417) and closes, but still emits the requests
 * pipelined after them. Only Node's private properties show the response ahead and whether it is the last.
 */
function followsLastResponse(request: IncomingMessage, response: ServerResponse): boolean {
  const { _httpMessage: ahead } = request.socket as { _httpMessage?: { _last?: boolean } | null };
  return ahead !== undefined && ahead !== null && ahead !== response && ahead._last === true;
}

/** Lets a client that has closed its sending side get its response (gateway 12.1); Node would disconnect it. */
function allowHalfOpen(socket: Socket): void {
  const { server } = socket as { server?: { httpAllowHalfOpen?: boolean } };
  if (server !== undefined) server.httpAllowHalfOpen = true;
}
