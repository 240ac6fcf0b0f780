/**
 * The events of an http.Server or https.Server that the app made. `ServerEvents` applies its limits and keeps its
 * books; what it lets through goes on to the app's own listeners, whenever they were added.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { appListens, interceptEvents, requestAllEvents } from "./event-interception.ts";
import type { ListenerWrapper } from "./node-server-options.ts";
import type { ParserError } from "./parser-error.ts";
import type { ServerEvents } from "./server-events.ts";

const UNWRAPPED: ListenerWrapper = { listener: (listener) => listener, upgrade: (listener) => listener };

export function interceptServer(
  server: Server,
  events: ServerEvents,
  wrapper: ListenerWrapper = UNWRAPPED,
): void {
  const accepted = (pass: (socket: Socket) => boolean) => (socket: Socket) => {
    events.accept(socket, isUnix(socket, server));
    return pass(socket);
  };
  const onRequest = wrapper.listener(requestListener(server));
  requestAllEvents(server);
  interceptEvents(server, {
    // A TLS server emits `connection` before the handshake; its requests come on the socket of `secureConnection`.
    [isTls(server) ? "secureConnection" : "connection"]: accepted,
    request: () => (request: IncomingMessage, response: ServerResponse) =>
      events.request(request, response, onRequest),
    checkContinue: (pass) => {
      const listener = wrapper.listener(pass);
      return (request: IncomingMessage, response: ServerResponse) =>
        appListens(server, "checkContinue")
          ? events.request(request, response, listener)
          : events.continue(request, response, onRequest);
    },
    checkExpectation: (pass) => {
      const listener = wrapper.listener(pass);
      return (request: IncomingMessage, response: ServerResponse) =>
        appListens(server, "checkExpectation")
          ? events.request(request, response, listener)
          : events.refuseExpectation(request, response);
    },
    upgrade: (pass) => {
      const listener = wrapper.upgrade(pass);
      return (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        events.upgrade(request, socket, head, listener);
    },
    connect: (pass) => {
      const listener = wrapper.upgrade(pass);
      return (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        appListens(server, "connect")
          ? events.upgrade(request, socket, head, listener)
          : events.refuseConnect(request, socket);
    },
    clientError: (pass) => (error: ParserError, socket: Socket) =>
      events.clientError(error, socket, appListens(server, "clientError") ? pass : undefined),
    timeout: (pass) => (socket: Socket) => events.timedOut(socket, () => pass(socket)),
  });
}

export function isTls(server: Server): boolean {
  return "setSecureContext" in server;
}

/** Where a server has one listener, as nearly all have, its promise is returned: a rejection is then that request's error. */
function requestListener(server: Server): RequestListener {
  const { emit } = server;
  const { _events: listeners } = server as unknown as { _events?: { request?: unknown } };
  return (request, response) => {
    const listener = listeners?.request;
    if (typeof listener === "function") return Reflect.apply(listener, server, [request, response]);
    return (emit as (...args: unknown[]) => boolean).call(server, "request", request, response);
  };
}

/** Asks the socket and not the server, which may accept on several: over TLS only the server is known. */
function isUnix(socket: Socket, server: Server): boolean {
  if (isTls(server)) return typeof server.address() === "string";
  return (socket as unknown as { _handle?: object | null })._handle?.constructor.name === "Pipe";
}
