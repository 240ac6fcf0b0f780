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
import type { AcceptLimiter } from "./accept-limiter.ts";
import { interceptEvents } from "./event-interception.ts";
import { inheritFacts } from "./front/facts.ts";
import type { Front } from "./front/front.ts";
import { listenOn } from "./listen.ts";
import type { ConnectionStates, InFlightRequest, WorkerServer } from "./server.ts";
import type { MakeFront } from "./server-options.ts";

/** How often a drain looks for connections on which nothing moves, in milliseconds. */
const IDLE_CHECK_MS = 100;

export interface StreamServerOptions {
  readonly server: Server;
  readonly limiter: AcceptLimiter;
  /** The front of connections; undefined: none. */
  readonly front?: MakeFront | undefined;
  readonly onAcceptError: (error: Error) => void;
}

/** The part of an HTTP/2 session that a drain needs. */
interface Session {
  close(): void;
  once(event: "close", listener: () => void): void;
}

/** The part of an HTTP/2 stream, or of a response, that tells when it is over. */
interface Ending {
  once(event: "close", listener: () => void): void;
}

interface Stream extends Ending {
  readonly session?: Session;
}

/** How many bytes a connection had carried, and since when no more. */
interface Movement {
  bytes: number;
  since: number;
  /** Its requests in flight; 0 where the protocol is unknown. */
  requests: number;
}

export class StreamServer implements WorkerServer {
  readonly #options: StreamServerOptions;
  readonly #isHttp2: boolean;
  readonly #front: Front | undefined;
  readonly #acceptors: Server[] = [];
  readonly #connections = new Map<Socket, Movement>();
  readonly #sessions = new Set<Session>();
  /** By the TLS socket, or the HTTP/2 session, of the connection. */
  readonly #movements = new WeakMap<object, Movement>();
  /** The connection whose events are being emitted. */
  #current: Movement | undefined;
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
    // The app sees the socket of TLS, which knows nothing of what the one below it has been told.
    if (this.#front !== undefined) server.prependListener("secureConnection", inheritFacts);
    // Only servers of node:http2 have it.
    this.#isHttp2 = "updateSettings" in server;
    if (this.#isHttp2) this.#watchRequests(server);
  }

  #watchRequests(server: Server): void {
    server.prependListener("secureConnection", (socket: Socket & { _parent?: Socket }) => {
      this.#current = socket._parent && this.#connections.get(socket._parent);
      if (this.#current !== undefined) this.#movements.set(socket, this.#current);
    });
    // Emitted at once for the socket of a `connection` or `secureConnection`.
    server.on("session", (session: Session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
      if (this.#current !== undefined) this.#movements.set(session, this.#current);
    });
    server.prependListener("stream", (stream: Stream, headers: Record<string, string>) => {
      const { ":method": method = "", ":path": target = "" } = headers;
      this.#began(stream, method, target, this.#movements.get(stream.session ?? {}));
    });
    // Those of HTTP/1.1 (`allowHTTP1`). A listener would make Node emit `request` for those of HTTP/2 as well.
    interceptEvents(server, {
      request: (pass) => (request: IncomingMessage, response: ServerResponse) => {
        if (request.httpVersionMajor === 1) {
          const { method = "", url = "" } = request;
          if (this.#isDraining) response.shouldKeepAlive = false;
          this.#began(response, method, url, this.#movements.get(request.socket));
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
    for (const session of this.#sessions) session.close();
    if (this.#front !== undefined) {
      await this.#front.drain(lingerMs);
      for (const session of this.#sessions) session.close();
    }
    if (this.#connections.size === 0) return;
    const now = performance.now();
    for (const movement of this.#connections.values()) movement.since = now;
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
    this.#current = { bytes: 0, since: performance.now(), requests: 0 };
    this.#connections.set(socket, this.#current);
    this.#options.limiter.connectionOpened();
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#options.limiter.connectionClosed();
      if (!this.#isHttp2) this.#finished();
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
  }

  #closeIdle(lingerMs: number): void {
    const now = performance.now();
    for (const [socket, movement] of this.#connections) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      if (bytes !== movement.bytes || movement.requests > 0) Object.assign(movement, { bytes, since: now });
      else if (now - movement.since >= lingerMs) socket.destroySoon();
    }
  }

  #began(ending: Ending, method: string, target: string, movement: Movement | undefined): void {
    const request = { method, target, startedAt: performance.now() };
    this.#inFlight.add(request);
    if (movement !== undefined) movement.requests += 1;
    ending.once("close", () => {
      this.#inFlight.delete(request);
      if (movement !== undefined) movement.requests -= 1;
      this.#finished();
    });
  }

  #finished(): void {
    this.#requests += 1;
    if (this.#requests === this.#dueAt) this.#onDue();
  }
}
