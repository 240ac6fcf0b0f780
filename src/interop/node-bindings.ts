/**
 * `c.env.incoming` and `c.env.outgoing` of a fetch app, as Hono's node packages look at them (`getConnInfo`, Early Hints,
 * `upgradeWebSocket`): what Node knows of the request, and what has become of the response. The content of both passes
 * through fetch's objects, so these have none of it.
 */
import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { Duplex } from "node:stream";
import { ROUTED, routedRequest } from "../exchange/route.ts";
import type { GatewayRequest, HeadersInput, Respond } from "../gateway/types.ts";
import { addSocketMembers } from "./socket-members.ts";

const require = createRequire(import.meta.url);

/** The request as Node's own object. It closes when the response is complete or the client is gone. */
export function nodeIncoming(request: GatewayRequest, respond: Respond): IncomingMessage {
  // Loaded only now: most fetch apps never need it.
  const http = require("node:http") as typeof import("node:http");
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  addSocketMembers(socket, request);
  socket.on("error", () => {});
  const incoming = new http.IncomingMessage(socket as never);
  const [major, minor] = request.httpVersion.split(".").map(Number) as [number, number];
  Object.assign(incoming, {
    method: request.method,
    url: request.target,
    httpVersion: request.httpVersion,
    httpVersionMajor: major,
    httpVersionMinor: minor,
    headers: { ...request.headers },
    rawHeaders: [...request.rawHeaders],
  });
  Object.defineProperty(incoming, ROUTED, { value: routedRequest(request) });
  respond.finished().then(
    () => {
      incoming.complete = true;
      // As in Node, after the response has reported its end.
      setImmediate(() => incoming.emit("close"));
    },
    () => incoming.destroy(),
  );
  return incoming;
}

/** The part of Node's ServerResponse that does not send the response itself: the app returns that. */
export class NodeOutgoing extends EventEmitter {
  readonly #respond: Respond;
  writableFinished = false;

  constructor(respond: Respond) {
    super();
    this.#respond = respond;
    respond.finished().then(
      () => {
        this.writableFinished = true;
        this.emit("finish");
        this.emit("close");
      },
      () => this.emit("close"),
    );
  }

  get headersSent(): boolean {
    return this.#respond.sent;
  }

  get writableEnded(): boolean {
    return this.writableFinished;
  }

  writeEarlyHints(
    hints: { readonly [name: string]: string | readonly string[] },
    callback?: () => void,
  ): void {
    this.#respond.informational(103, hints as HeadersInput);
    callback?.();
  }

  setHeader(): never {
    return mustReturn("setHeader");
  }

  writeHead(): never {
    return mustReturn("writeHead");
  }

  write(): never {
    return mustReturn("write");
  }

  end(): never {
    return mustReturn("end");
  }
}

function mustReturn(method: string): never {
  throw new TypeError(
    `c.env.outgoing.${method}() is not supported: return a Response, or let serve() of @hono/node-server listen`,
  );
}
