/**
 * Serves a server of the app whose protocol tsgun does not speak (net, tls, http2): its connections are counted,
 * limited and drained as byte streams, and their bytes are not parsed.
 *
 * A drain accepts no more connections, asks HTTP/2 sessions to finish (GOAWAY), and closes each connection on which
 * nothing has moved for the linger, unless it is known to have a request in flight.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server, Socket } from "node:net";
import { acceptorFor } from "../adopt/acceptor.ts";
import { ConnectionEndpoints, knownBySocket } from "../exchange/endpoint.ts";
import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { AcceptLimiter } from "./accept-limiter.ts";
import { descriptorOf } from "./descriptor-budget.ts";
import { interceptEvents } from "./event-interception.ts";
import { factsOf, inheritFacts } from "./front/facts.ts";
import type { Front } from "./front/front.ts";
import { listenOn } from "./listen.ts";
import type { Standing, Wait } from "./places/policy.ts";
import type { RequestMeter } from "./request-meter.ts";
import type { ConnectionStates, InFlightRequest, WorkerServer } from "./server.ts";
import type { MakeFront } from "./server-options.ts";
import { type ClientTurn, StreamConnection, type StreamTimeouts } from "./stream-connection.ts";

/** How often a drain looks for connections on which nothing moves, in milliseconds. */
const IDLE_CHECK_MS = 100;

export interface StreamServerOptions {
  readonly server: Server;
  readonly limiter: AcceptLimiter;
  /** The front of connections; undefined: none. */
  readonly front?: MakeFront | undefined;
  /** How slowly a client may read when places run out. */
  readonly timeouts: StreamTimeouts;
  /** The proxies whose idle connections are spared then. */
  readonly proxyRules?: ProxyRules | undefined;
  readonly meter?: RequestMeter | undefined;
  readonly onAcceptError: (error: Error) => void;
}

/** The part of an HTTP/2 session that a drain needs. */
interface Session {
  close(): void;
  destroy(): void;
  once(event: "close", listener: () => void): void;
}

/** The part of an HTTP/2 stream, or of a response, that tells when it is over. */
interface Ending {
  once(event: "close", listener: () => void): void;
}

/** The part of a stream, or of a request and its response, that tells whose turn it is. */
interface Incoming {
  readonly readableEnded: boolean;
  readonly readableFlowing: boolean | null;
  listenerCount(event: "readable"): number;
}

interface Outgoing {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly writableLength: number;
}

interface Stream extends Ending, Incoming, Outgoing {
  readonly session?: Session;
  readonly endAfterHeaders: boolean;
}

export class StreamServer implements WorkerServer {
  readonly #options: StreamServerOptions;
  readonly #isHttp2: boolean;
  readonly #front: Front | undefined;
  readonly #acceptors: Server[] = [];
  readonly #connections = new Map<Socket, StreamConnection>();
  /** Each with its connection. */
  readonly #sessions = new Map<Session, StreamConnection | undefined>();
  /** By the TLS socket, or the HTTP/2 session, of the connection. */
  readonly #owners = new WeakMap<object, StreamConnection>();
  /** The connection whose events are being emitted. */
  #current: StreamConnection | undefined;
  #isDraining = false;
  readonly #inFlight = new Set<{ method: string; target: string; startedAt: number }>();
  #requests = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #onDue: () => void = () => {};
  #onEmpty: (() => void) | undefined;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const { server } = options;
    this.#front = options.front?.(options.limiter);
    server.prependListener("connection", (socket: Socket) => this.#connected(socket));
    server.prependListener("secureConnection", (socket: Socket & { _parent?: Socket }) => {
      this.#current = socket._parent && this.#connections.get(socket._parent);
      this.#current?.secured(socket);
      if (this.#current !== undefined) this.#owners.set(socket, this.#current);
    });
    // The app sees the socket of TLS, which knows nothing of what the one below it has been told.
    if (this.#front !== undefined) server.prependListener("secureConnection", inheritFacts);
    // Only servers of node:http2 have it.
    this.#isHttp2 = "updateSettings" in server;
    if (this.#isHttp2) this.#watchRequests(server);
    options.limiter.addOccupants<StreamConnection>({
      connections: { [Symbol.iterator]: () => this.#connections.values() },
      now: () => performance.now(),
      standing: (connection, now) => this.#standing(connection, now),
      giveWay: (connection, wait) => this.#giveWay(connection, wait),
    });
  }

  #watchRequests(server: Server): void {
    // Emitted at once for the socket of a `connection` or `secureConnection`.
    server.on("session", (session: Session) => {
      this.#sessions.set(session, this.#current);
      session.once("close", () => this.#sessions.delete(session));
      if (this.#current !== undefined) this.#owners.set(session, this.#current);
    });
    server.prependListener("stream", (stream: Stream, headers: Record<string, string>) => {
      const { ":method": method = "", ":path": target = "" } = headers;
      const turn = (): ClientTurn => turnOf(stream, stream.endAfterHeaders, stream);
      this.#began(stream, { method, target }, this.#owners.get(stream.session ?? {}), turn);
    });
    // Those of HTTP/1.1 (`allowHTTP1`). A listener would make Node emit `request` for those of HTTP/2 as well.
    interceptEvents(server, {
      request: (pass) => (request: IncomingMessage, response: ServerResponse) => {
        if (request.httpVersionMajor === 1) {
          const { method = "", url: target = "" } = request;
          if (this.#isDraining || this.#options.limiter.full) response.shouldKeepAlive = false;
          const turn = (): ClientTurn => turnOf(request, request.complete, response);
          this.#began(response, { method, target }, this.#owners.get(request.socket), turn);
        }
        return pass(request, response);
      },
    });
  }

  get connections(): number {
    return this.#connections.size + (this.#front?.size ?? 0);
  }

  /** Where the protocol is unknown, all are active. */
  connectionStates(): ConnectionStates {
    const states = { active: 0, idle: 0, upgraded: 0 };
    for (const { requests } of this.#connections.values())
      states[requests > 0 || !this.#isHttp2 ? "active" : "idle"] += 1;
    return states;
  }

  /** Finished HTTP/2 requests; for other protocols, finished connections. */
  get requests(): number {
    return this.#requests;
  }

  listen(fd: number, backlog?: number): Promise<void> {
    return this.#open((server) => listenOn(server, fd, backlog), this.#front);
  }

  open(listen: (server: Server) => Promise<void>): Promise<void> {
    return this.#open(listen, undefined);
  }

  async #open(listen: (server: Server) => Promise<void>, front: Front | undefined): Promise<void> {
    const { limiter, onAcceptError } = this.#options;
    const server = acceptorFor(this.#options.server, front);
    await listen(server);
    server.on("error", onAcceptError);
    this.#acceptors.push(server);
    limiter.addServer(server);
  }

  afterRequests(responses: number, then: () => void): void {
    this.#dueAt = this.#requests + responses;
    this.#onDue = then;
  }

  /** Such a connection cannot be told to come again: its protocol is the app's. */
  shed(): void {}

  inFlight(): InFlightRequest[] {
    const now = performance.now();
    return [...this.#inFlight].map(({ method, target, startedAt }) => ({
      method,
      target,
      id: "",
      age: now - startedAt,
    }));
  }

  logUnfinished(): void {}

  async drain(lingerMs: number): Promise<void> {
    this.#isDraining = true;
    for (const acceptor of this.#acceptors) acceptor.close();
    for (const session of this.#sessions.keys()) session.close();
    if (this.#front !== undefined) {
      await this.#front.drain(lingerMs);
      for (const session of this.#sessions.keys()) session.close();
    }
    if (this.#connections.size === 0) return;
    const now = performance.now();
    for (const connection of this.#connections.values()) connection.startLinger(now);
    const timer = setInterval(() => this.#closeIdle(lingerMs), IDLE_CHECK_MS);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    clearInterval(timer);
  }

  destroy(): void {
    for (const acceptor of this.#acceptors) acceptor.close();
    this.#front?.destroy();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #connected(socket: Socket): void {
    const { limiter, timeouts } = this.#options;
    const isTls = "setSecureContext" in this.#options.server;
    this.#current = new StreamConnection(socket, { isHttp2: this.#isHttp2, isTls, timeouts });
    this.#connections.set(socket, this.#current);
    limiter.connectionOpened(descriptorOf(socket));
    socket.once("close", () => {
      this.#connections.delete(socket);
      limiter.connectionClosed();
      if (!this.#isHttp2) this.#finished();
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
  }

  #closeIdle(lingerMs: number): void {
    const now = performance.now();
    for (const connection of this.#connections.values())
      if (connection.isQuiet(now, lingerMs)) connection.socket.destroySoon();
  }

  #standing(connection: StreamConnection, now: number): Standing | undefined {
    const standing = connection.standing(now);
    const { proxyRules } = this.#options;
    if (standing?.wait !== "next request" || proxyRules === undefined) return standing;
    // A proxy may just be sending a request, which it does not repeat.
    const { socket } = connection;
    const known = factsOf(socket) ?? knownBySocket(socket.remoteAddress === undefined);
    return proxyRules.trusts(new ConnectionEndpoints(socket, known).peer) ? undefined : standing;
  }

  /** Closes a connection to make room for others. */
  #giveWay(connection: StreamConnection, wait: Wait): void {
    this.#options.meter?.connectionFailed(wait === "reader" ? "write_timeout" : "evicted");
    const { socket } = connection;
    for (const [session, owner] of this.#sessions) {
      if (owner !== connection) continue;
      // Its GOAWAY tells the client which requests it may repeat; one that reads nothing never gets it.
      session.destroy();
      setImmediate(() => socket.destroy());
      return;
    }
    socket.destroy();
  }

  #began(
    ending: Ending,
    { method, target }: { readonly method: string; readonly target: string },
    connection: StreamConnection | undefined,
    turn: () => ClientTurn,
  ): void {
    const request = { method, target, startedAt: performance.now() };
    this.#inFlight.add(request);
    const ended = connection?.began(turn);
    ending.once("close", () => {
      this.#inFlight.delete(request);
      ended?.();
      this.#finished();
    });
  }

  #finished(): void {
    this.#requests += 1;
    if (this.#requests === this.#dueAt) this.#onDue();
  }
}

/**
 * Tells whose turn it is with a request: the client's while content is due that the app reads, or a response to be read. Once the app
 * has begun to respond, the rest of the content may be one half of a conversation (gRPC), in which either side may be silent.
 */
function turnOf(incoming: Incoming, isComplete: boolean, outgoing: Outgoing): ClientTurn {
  const { headersSent, writableLength, writableEnded, writableFinished } = outgoing;
  if (headersSent && (writableLength > 0 || (writableEnded && !writableFinished))) return "reader";
  // Over HTTP/2 content that the app does not read may have arrived, and does not show.
  if (headersSent) return undefined;
  const isRead = incoming.readableFlowing === true || incoming.listenerCount("readable") > 0;
  return !isComplete && !incoming.readableEnded && isRead ? "content" : undefined;
}
