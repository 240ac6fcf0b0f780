/**
 * `tsgun/node`: gateway apps on node's own http.Server, its request listeners as gateway apps, and the worker that
 * a listener runs in.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { joinFields } from "../gateway/fields.ts";
import type { App, Handler } from "../gateway/types.ts";
import { asksForUpgrade, hasContent } from "./framing.ts";
import { HostedApp, type HostOptions } from "./hosted-app.ts";
import { NodeConnection } from "./node-connection.ts";
import { NodeExchange, responseOn } from "./node-exchange.ts";

export { currentWorker } from "./current-worker.ts";
export type { HostOptions } from "./hosted-app.ts";
export { fromNodeListener, type ListenerOptions, type RequestListener } from "./node-handler.ts";

/**
 * A request listener with the rest that a server needs: `http.createServer(listener)` serves plain
 * requests; `listener.attach(http.createServer())` all of the interface.
 */
export interface NodeListener {
  /** For `request`, and for `checkContinue`, where 100 Continue then waits for the first read of the body. */
  (request: IncomingMessage, response: ServerResponse): void;
  /** For `upgrade` and `connect`: lets the app take over connections. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Listens to all these events of `server`, and returns it. */
  attach<S extends Server>(server: S): S;
  /** Resolves when the app has started, which begins at once; rejects with what its `startup` threw. */
  readonly ready: Promise<void>;
  /** Tells the app to drain, waits for its last answer and shuts it down. Close the server first. */
  close(): Promise<void>;
}

/**
 * Makes a request listener for node:http (or node:https) of a gateway app. Requests that come before the
 * app has started wait for it; where it could not start they are answered with 503.
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
    if (behindLastAnswer(request, response)) return;
    const to = connection;
    connection.enqueue(() => begin(request, response, to, upgradeHead));
  }

  function begin(
    request: IncomingMessage,
    response: ServerResponse,
    connection: NodeConnection,
    upgradeHead: Buffer | undefined,
  ): NodeExchange {
    const carrier = new NodeExchange(request, response, {
      bodyLimit: hosted.bodyLimit,
      waits: waitsForContinue(request, response),
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
    } as const;
    const exchange = hosted.open(head, connection, carrier.body, carrier);
    carrier.watch(exchange);
    hosted.run(exchange);
    return carrier;
  }

  const listener = ((request, response) => serve(request, response)) as NodeListener;
  listener.upgrade = (request, socket, head) => {
    socket.on("error", () => {});
    const response = responseOn(request, socket);
    const fields = joinFields(request.rawHeaders);
    const upgrade = asksForUpgrade(request.method as string, request.httpVersion, fields);
    if (upgrade && hasContent(request.method, request.headers)) {
      // Node takes the content of such a request for what comes behind it: nobody can read it safely.
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

/** Node sends 100 Continue itself where nobody listens for `checkContinue`, and notes it on the response. */
function waitsForContinue(request: IncomingMessage, response: ServerResponse): boolean {
  const sent = (response as { _sent100?: boolean })._sent100 === true;
  return !sent && request.httpVersion !== "1.0" && /^100-continue$/i.test(request.headers.expect ?? "");
}

/**
 * Node answers some requests itself (400 without Host, 417) and closes, but still hands over what is
 * pipelined behind. The answer ahead, and whether it is the last, are known to its own properties alone.
 */
function behindLastAnswer(request: IncomingMessage, response: ServerResponse): boolean {
  const { _httpMessage: ahead } = request.socket as { _httpMessage?: { _last?: boolean } | null };
  return ahead !== undefined && ahead !== null && ahead !== response && ahead._last === true;
}

/** Node would cut off a client that closes its sending side; it gets its answer (gateway 12.1). */
function allowHalfOpen(socket: Socket): void {
  const { server } = socket as { server?: { httpAllowHalfOpen?: boolean } };
  if (server !== undefined) server.httpAllowHalfOpen = true;
}
