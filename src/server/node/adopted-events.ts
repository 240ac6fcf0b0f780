/**
 * The events of an http.Server or https.Server that the app made. `ServerEvents` applies tsgun's limits and
 * counts connections and requests; what it lets through goes on to the app's own listeners, whenever they were added.
 */
import { EventEmitter } from "node:events";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { knownBySocket } from "../../exchange/endpoint.ts";
import { appListens, type Interceptor, interceptEvents, requestAllEvents } from "../event-interception.ts";
import { factsOf } from "../front/facts.ts";
import type { Handshakes } from "./handshakes.ts";
import type { ListenerWrapper } from "./node-server-options.ts";
import type { ParserError } from "./parser-error.ts";
import type { ServerEvents } from "./server-events.ts";

const UNWRAPPED: ListenerWrapper = { listener: (listener) => listener, upgrade: (listener) => listener };

/** @param handshakes of a TLS server */
export function interceptServer(
  server: Server,
  events: ServerEvents,
  wrapper: ListenerWrapper = UNWRAPPED,
  handshakes?: Handshakes,
): void {
  const accept = (socket: Socket): void =>
    events.accept(socket, factsOf(socket) ?? knownBySocket(isUnix(socket, server)));
  const accepted = (pass: (socket: Socket) => boolean) => (socket: Socket) => {
    accept(socket);
    return pass(socket);
  };
  // Such a server emits `connection` before the handshake; its requests come on the socket of `secureConnection`.
  const overTls: Readonly<Record<string, Interceptor>> | undefined = handshakes && {
    connection: (pass) => (socket: Socket) => {
      handshakes.began(socket);
      return pass(socket);
    },
    secureConnection: (pass) => (socket: Socket) => {
      handshakes.finished(socket, () => accept(socket));
      return pass(socket);
    },
  };
  // Apps emit events themselves: one server for another one, or a request that never came by a connection.
  const isOurs = ({ socket }: IncomingMessage): boolean => events.connections.has(socket);
  const onRequest = wrapper.listener(requestListener(server));
  requestAllEvents(server);
  interceptEvents(server, {
    ...(overTls ?? { connection: accepted }),
    request: (pass) => (request: IncomingMessage, response: ServerResponse) =>
      isOurs(request) ? events.request(request, response, onRequest) : pass(request, response),
    checkContinue: (pass) => {
      const listener = wrapper.listener(pass);
      return (request: IncomingMessage, response: ServerResponse) => {
        if (!isOurs(request)) return pass(request, response);
        return appListens(server, "checkContinue")
          ? events.request(request, response, listener)
          : events.continue(request, response, onRequest);
      };
    },
    checkExpectation: (pass) => {
      const listener = wrapper.listener(pass);
      return (request: IncomingMessage, response: ServerResponse) => {
        if (!isOurs(request)) return pass(request, response);
        return appListens(server, "checkExpectation")
          ? events.request(request, response, listener)
          : events.refuseExpectation(request, response);
      };
    },
    upgrade: (pass) => {
      const listener = wrapper.upgrade(pass);
      return (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        isOurs(request) ? events.upgrade(request, socket, head, listener) : pass(request, socket, head);
    },
    connect: (pass) => {
      const listener = wrapper.upgrade(pass);
      return (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (!isOurs(request)) return pass(request, socket, head);
        return appListens(server, "connect")
          ? events.upgrade(request, socket, head, listener)
          : events.refuseConnect(request, socket);
      };
    },
    clientError: (pass) => (error: ParserError, socket: Socket) =>
      events.connections.has(socket)
        ? events.clientError(error, socket, appListens(server, "clientError") ? pass : undefined)
        : pass(error, socket),
    timeout: (pass) => (socket: Socket) => events.timedOut(socket, () => pass(socket)),
  });
}

export function isTls(server: Server): boolean {
  return "setSecureContext" in server;
}

/**
 * Emits `request`. Where a server has one listener, as nearly all have, it returns the listener's promise: a rejection is
 * then that request's error.
 */
function requestListener(server: Server): RequestListener {
  const emit = server.emit as (this: object, ...args: unknown[]) => boolean;
  // Read each time: `removeAllListeners()` replaces the object.
  const emitter = server as unknown as { _events?: { request?: unknown } };
  let returned: unknown;
  // An instrumentation sets up its context in `emit` (OpenTelemetry and others), which returns no promise. So it gets a
  // stand-in for the server, whose only listener keeps what the app's returns.
  const keep = (...args: unknown[]): void => {
    returned = Reflect.apply(emitter._events?.request as () => unknown, server, args);
  };
  const standIn: object = Object.create(server, { _events: { value: { request: keep } } });
  const isInstrumented = emit !== EventEmitter.prototype.emit;
  return (request, response) => {
    const listener = emitter._events?.request;
    if (typeof listener !== "function") return emit.call(server, "request", request, response);
    if (!isInstrumented) return listener.call(server, request, response);
    returned = undefined;
    emit.call(standIn, "request", request, response);
    return returned;
  };
}

/** Asks the socket and not the server, which may accept on several: over TLS only the server is known. */
function isUnix(socket: Socket, server: Server): boolean {
  if (isTls(server)) return typeof server.address() === "string";
  return (socket as unknown as { _handle?: object | null })._handle?.constructor.name === "Pipe";
}
