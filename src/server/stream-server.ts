/**
 * Serves a server of the app whose protocol tsgun does not speak (net, tls, http2): its connections are counted,
 * limited and drained as byte streams, and what they carry is the app's affair.
 *
 * A drain accepts no more connections, asks HTTP/2 sessions to finish (GOAWAY), and closes each connection on which
 * nothing has moved for the linger.
 */
import type { Server, Socket } from "node:net";
import { acceptorFor } from "../adopt/acceptor.ts";
import type { AcceptLimiter } from "./accept-limiter.ts";
import { listenOn } from "./listen.ts";
import type { InFlightRequest, RequestWatcher, WorkerServer } from "./server.ts";

/** How often a drain looks for connections on which nothing moves, in milliseconds. */
const IDLE_CHECK_MS = 100;

export interface StreamServerOptions {
  readonly server: Server;
  readonly limiter: AcceptLimiter;
  readonly onAcceptError: (error: Error) => void;
}

/** The part of an HTTP/2 session that a drain needs. */
interface Session {
  close(): void;
  once(event: "close", listener: () => void): void;
}

/** The part of an HTTP/2 stream that tells when it is over. */
interface Stream {
  once(event: "close", listener: () => void): void;
}

/** How many bytes a connection had carried, and since when no more. */
interface Movement {
  bytes: number;
  since: number;
}

export class StreamServer implements WorkerServer {
  readonly #options: StreamServerOptions;
  readonly #isHttp2: boolean;
  readonly #acceptors: Server[] = [];
  readonly #connections = new Map<Socket, Movement>();
  readonly #sessions = new Set<Session>();
  readonly #inFlight = new Set<{ method: string; target: string; startedAt: number }>();
  #requests = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #onDue: () => void = () => {};
  #watcher: RequestWatcher | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const { server } = options;
    server.prependListener("connection", (socket: Socket) => this.#connected(socket));
    // Only servers of node:http2 have it.
    this.#isHttp2 = "updateSettings" in server;
    if (!this.#isHttp2) return;
    server.on("session", (session: Session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    server.prependListener("stream", (stream: Stream, headers: Record<string, string>) =>
      this.#began(stream, headers),
    );
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Finished HTTP/2 requests; for other protocols, finished connections. */
  get requests(): number {
    return this.#requests;
  }

  listen(fd: number, backlog?: number): Promise<void> {
    return this.open((server) => listenOn(server, fd, backlog));
  }

  async open(listen: (server: Server) => Promise<void>): Promise<void> {
    const { limiter, onAcceptError } = this.#options;
    const server = acceptorFor(this.#options.server);
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

  watchRequests(watcher: RequestWatcher | undefined): void {
    this.#watcher = watcher;
  }

  logUnfinished(): void {}

  async drain(lingerMs: number): Promise<void> {
    for (const acceptor of this.#acceptors) acceptor.close();
    for (const session of this.#sessions) session.close();
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
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #connected(socket: Socket): void {
    this.#connections.set(socket, { bytes: 0, since: performance.now() });
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
      if (bytes !== movement.bytes) Object.assign(movement, { bytes, since: now });
      else if (now - movement.since >= lingerMs) socket.destroySoon();
    }
  }

  #began(stream: Stream, headers: Record<string, string>): void {
    const { ":method": method = "", ":path": target = "" } = headers;
    const request = { method, target, startedAt: performance.now() };
    this.#inFlight.add(request);
    const over = this.#watcher?.(method, target);
    stream.once("close", () => {
      this.#inFlight.delete(request);
      over?.();
      this.#finished();
    });
  }

  #finished(): void {
    this.#requests += 1;
    if (this.#requests === this.#dueAt) this.#onDue();
  }
}
