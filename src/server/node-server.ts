/**
 * Serves a node listener (Express, Koa, Fastify, Nest, …) on node's own http.Server, whose request and
 * response objects such an app needs, with the limits, timeouts and the draining of the gateway engine.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type Socket, Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { BodyError, thrownError } from "../errors.ts";
import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { EngineOptions, EngineTimeouts, ErrorDescriber, ErrorReporter } from "./engine-options.ts";
import { Gate } from "./gate.ts";
import { listenOn } from "./listen.ts";
import { ListenerExchange, requestId } from "./listener-exchange.ts";
import { type Failure, isReset, NodeAccess, type ParserError } from "./node-access.ts";
import { limitContent, refusalOf } from "./node-limits.ts";
import { PeerWatch, type WatchedPeer } from "./peer-watch.ts";
import type { InFlight, WorkerServer } from "./server.ts";
import { Uptake } from "./uptake.ts";

export interface NodeServerOptions {
  readonly listener: RequestListener;
  /** Takes the upgrade requests; undefined leaves them to `listener`, as node does without a listener. */
  readonly upgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined;
  readonly limits: EngineOptions["limits"];
  readonly timeouts: EngineTimeouts;
  /** How many connections there may be; any number by default. */
  readonly gate?: Gate;
  /** Tells of a request that was given up because its time was over. */
  readonly onError: ErrorReporter;
  /** What a 500 says of what the listener threw; undefined: nothing beyond the status. */
  readonly describeError?: ErrorDescriber | undefined;
  /** Gets a line for each request; undefined where none is wanted. */
  readonly accessLog?: AccessLog | undefined;
  /** Whose word of others the access log takes. An app has its own way to trust proxies. */
  readonly proxyRules?: ProxyRules | undefined;
  readonly onAcceptError: (error: Error) => void;
}

/** A connection between requests: idle as long as it has received nothing since. */
interface Connection extends WatchedPeer {
  exchanges: number;
  /** Exact only while the server drains; what became idle before has been since the draining began, or longer. */
  idleSince: number;
  bytesWhenIdle: number;
  /** The latest request, where it was answered before all of its content had come. */
  unread: IncomingMessage | undefined;
  readonly uptake: Uptake;
  /** The app has it for itself: what goes on on it is the app's affair. */
  upgraded: boolean;
}

/** How often slow clients are looked for, at most, in milliseconds. */
const SLOWEST_CHECK = 1000;

export class NodeServer implements WorkerServer {
  readonly #options: NodeServerOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Socket, Connection>();
  readonly #exchanges = new Set<ListenerExchange>();
  readonly #peers = new PeerWatch();
  readonly #gate: Gate;
  /** Undefined where the access log is off. */
  readonly #access: NodeAccess | undefined;
  readonly #checkEvery: number;
  readonly #check: NodeJS.Timeout;
  /** How long idle connections are still served; undefined until the server drains. */
  #linger: number | undefined;
  #begun = 0;
  #shedding = 0;
  #requests = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #onDue: () => void = () => {};

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#gate = options.gate ?? new Gate();
    const { accessLog, proxyRules } = options;
    this.#access = accessLog && new NodeAccess(accessLog, proxyRules, () => this.#nextId());
    const { header, body, request } = options.timeouts;
    this.#checkEvery = Math.min(SLOWEST_CHECK, Math.max(10, Math.ceil(Math.min(header, body, request) / 4)));
    this.#check = setInterval(() => this.#findOverdue(), this.#checkEvery).unref();
  }

  get connections(): number {
    return this.#connections.size;
  }

  get requests(): number {
    return this.#requests;
  }

  listen(fd: number, backlog?: number): Promise<void> {
    return this.open((server) => listenOn(server, fd, backlog));
  }

  async open(listen: (server: TcpServer) => Promise<void>): Promise<void> {
    // An http.Server listens once: each socket has its own.
    const server = this.#makeServer();
    await listen(server);
    server.on("error", this.#options.onAcceptError);
    this.#servers.push(server);
    this.#gate.guard(server);
  }

  shed(connections: number): void {
    this.#shedding = connections;
  }

  whenAnswered(answers: number, then: () => void): void {
    this.#dueAt = this.#requests + answers;
    this.#onDue = then;
  }

  inFlight(): InFlight[] {
    const now = performance.now();
    return [...this.#exchanges].map((exchange) => {
      const record = exchange.log?.record();
      return { ...exchange.name, age: now - exchange.startedAt, ...(record && { record }) };
    });
  }

  logUnanswered(): void {
    for (const { log } of this.#exchanges) log?.finish("worker-exit");
    this.#access?.finish();
  }

  async drain(lingerMs: number): Promise<void> {
    this.#linger = lingerMs;
    for (const exchange of this.#exchanges) exchange.closeAfter();
    this.#closeIdleAfter(lingerMs);
    // http's own close cuts idle connections at once, and with them the request a proxy is just sending.
    await Promise.all(
      this.#servers.map((server) => new Promise((done) => TcpServer.prototype.close.call(server, done))),
    );
    clearInterval(this.#check);
  }

  destroy(): void {
    clearInterval(this.#check);
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    for (const { log } of this.#exchanges) log?.because("worker-exit");
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #makeServer(): Server {
    const { limits, timeouts, upgrade } = this.#options;
    const server = createServer({
      keepAliveTimeout: finite(timeouts.keepAlive),
      headersTimeout: finite(timeouts.header),
      // A whole request may take as long as it gets on; `#findOverdue` looks at that.
      requestTimeout: 0,
      connectionsCheckingInterval: this.#checkEvery,
      // Looked at with the limits, so that such a request is one like any other.
      requireHostHeader: false,
      maxHeaderSize: Math.min(MOST_HEAD, limits.requestLine + (limits.fields + 1) * limits.fieldSize),
    });
    // Node drops the fields beyond this number without a word: one more shows that there were too many.
    server.maxHeadersCount = limits.fields + 1;
    server.on("connection", (socket) => {
      const address = server.address();
      this.#access?.connected(socket, address === null || typeof address === "string");
      this.#connected(socket);
    });
    server.on("request", (request, response) => {
      const exchange = this.#begin(request, response);
      if (exchange !== undefined) this.#run(exchange);
    });
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      const exchange = this.#begin(request, response);
      if (exchange === undefined) return;
      response.writeContinue();
      this.#run(exchange);
    });
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      this.#begin(request, response)?.refuse(417);
    });
    if (upgrade !== undefined) {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        // An upgraded connection is the app's, and never idle again.
        const connection = this.#connections.get(request.socket);
        if (connection !== undefined) {
          connection.exchanges += 1;
          connection.upgraded = true;
        }
        // A client that breaks off must not end the worker of an app that does not listen (yet).
        socket.on("error", () => {});
        this.#access?.upgrading(request, socket);
        upgrade(request, socket, head);
      });
    }
    if (this.#access !== undefined) this.#watchAccess(server, this.#access);
    return server;
  }

  /** What node refuses by itself is answered as node does, and gets its line. */
  #watchAccess(server: Server, access: NodeAccess): void {
    server.on("clientError", (error: ParserError, duplex) => {
      const socket = duplex as Socket;
      access.refused(error, socket, this.#failure(error, socket));
    });
    // Without a listener node closes the connection.
    server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      access.upgrading(request, socket);
      socket.destroy();
    });
  }

  /** Which request it is that node's parser stumbled over. */
  #failure(error: ParserError, socket: Socket): Failure {
    const { unread, bytesWhenIdle = Number.POSITIVE_INFINITY } = this.#connections.get(socket) ?? {};
    const underWay = [...this.#exchanges].filter(({ request }) => request.socket === socket);
    const exchange = underWay.find(({ request }) => !request.complete)?.log;
    // What comes behind `Connection: close` is no request any more.
    const isOther = unread?.complete !== false && error.code !== "HPE_CLOSED_CONNECTION";
    // Where its parser has something to say, something has come, unless that is that nothing ever did.
    const begun = isReset(error)
      ? underWay.length === 0 && socket.bytesRead > bytesWhenIdle
      : socket.bytesRead > 0;
    return { exchange, asked: isOther && begun, alone: underWay.length === 0 && unread === undefined };
  }

  #nextId(): string {
    this.#begun += 1;
    return requestId(this.#begun);
  }

  #connected(socket: Socket): void {
    const connection: Connection = {
      socket,
      exchanges: 0,
      idleSince: performance.now(),
      bytesWhenIdle: 0,
      unread: undefined,
      uptake: new Uptake(socket),
      upgraded: false,
    };
    this.#connections.set(socket, connection);
    this.#gate.enter();
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#gate.leave();
      // Node does not tell a response that was waiting behind another.
      if (connection.exchanges > 0) this.#forget(socket);
    });
  }

  #forget(socket: Socket): void {
    for (const exchange of this.#exchanges) {
      if (exchange.request.socket !== socket) continue;
      this.#exchanges.delete(exchange);
      exchange.log?.finishCut();
    }
  }

  /** Calls the app. What it throws, or its promise rejects with, is that request's affair and not the worker's. */
  #run(exchange: ListenerExchange): void {
    try {
      const result: unknown = this.#options.listener(exchange.request, exchange.response);
      if (result instanceof Promise) result.catch((thrown) => this.#failed(exchange, thrown));
    } catch (error) {
      this.#failed(exchange, error);
    }
  }

  #failed(exchange: ListenerExchange, thrown: unknown): void {
    const { onError, describeError } = this.#options;
    const error = thrownError(thrown);
    onError(error, exchange.name);
    exchange.fail(describeError?.(error, exchange.request.headers.accept));
  }

  /** Takes a request into the books; undefined when it is refused, and answered. */
  #begin(request: IncomingMessage, response: ServerResponse): ListenerExchange | undefined {
    const { limits, timeouts } = this.#options;
    const log = this.#access?.begin(request, response);
    if (log === undefined) this.#begun += 1;
    const exchange = new ListenerExchange(request, response, this.#begun, log);
    this.#exchanges.add(exchange);
    const connection = this.#connections.get(request.socket);
    if (connection !== undefined) connection.exchanges += 1;
    // Not `once`, which costs each request a wrapper and its removal.
    response.on("close", () => this.#end(exchange));
    const last = this.#linger !== undefined || timeouts.keepAlive === 0 || this.#gate.full;
    if (last) exchange.closeAfter();
    else if (this.#shedding > 0) {
      this.#shedding -= 1;
      exchange.closeAfter();
    }
    const status = refusalOf(request, limits);
    if (status !== undefined) {
      exchange.refuse(status);
      return undefined;
    }
    limitContent(request, limits.body, () => {
      exchange.breakOff(new BodyError(413, `the content has more than ${limits.body} bytes`));
    });
    return exchange;
  }

  #end(exchange: ListenerExchange): void {
    if (!exchange.end()) return;
    this.#exchanges.delete(exchange);
    if (exchange.response.writableFinished) {
      exchange.log?.finish("complete");
      this.#requests += 1;
      if (this.#requests === this.#dueAt) this.#onDue();
    } else {
      exchange.log?.finishCut();
    }
    const { request } = exchange;
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.exchanges -= 1;
    connection.unread = request.complete ? undefined : request;
    // Before the draining it does not matter since when: its linger begins with it.
    if (this.#linger !== undefined) connection.idleSince = performance.now();
    connection.bytesWhenIdle = socket.bytesRead;
    // Its head may have gone out before the draining began: then the client still thinks it can reuse it.
    if (this.#linger !== undefined) this.#closeIdleAfter(this.#linger);
  }

  /** Behind the input of that turn: a process that is late itself must not close what asked in time. */
  #closeIdleAfter(milliseconds: number): void {
    setTimeout(() => setImmediate(() => this.#closeIdle()), milliseconds);
  }

  /** Closes the connections that have been idle for the whole linger. */
  #closeIdle(): void {
    // A timer may fire a fraction of a millisecond early.
    const latest = performance.now() - (this.#linger ?? 0) + 1;
    for (const [socket, connection] of this.#connections) {
      const idle = connection.exchanges === 0 && socket.bytesRead === connection.bytesWhenIdle;
      if (idle && connection.idleSince <= latest) socket.destroy();
    }
  }

  /**
   * Gives up on the requests whose content has stood still for too long, or that have had no answer for too long, and
   * on the clients that have taken nothing of theirs for too long.
   */
  #findOverdue(): void {
    const now = performance.now();
    for (const exchange of this.#exchanges) {
      const error = exchange.overdue(now, this.#options.timeouts);
      if (error === undefined) continue;
      // A client that is slow is no error of the app's.
      if (!(error instanceof BodyError)) this.#options.onError(error, exchange.name);
      exchange.breakOff(error);
    }
    for (const [socket, { uptake, upgraded }] of this.#connections) {
      // Longer, if the app gave the connection more time itself.
      const time = Math.max(this.#options.timeouts.body, socket.timeout ?? 0);
      if (!upgraded && uptake.stoodStill(now) >= time) socket.destroy();
    }
    this.#peers.lookAtPaused(now, () => this.#deaf());
  }

  /** Not read from, with an exchange under way or in the hands of the app: what the client does is not seen. */
  *#deaf(): Iterable<Connection> {
    for (const connection of this.#connections.values()) {
      const { socket, exchanges } = connection;
      if (exchanges > 0 && (socket.isPaused() || socket.readableEnded)) yield connection;
    }
  }
}

/** The largest head node is told to accept, where the limits multiply to more than it can count. */
const MOST_HEAD = 2 ** 30;

/** Node's word for no limit is 0. */
function finite(limit: number): number {
  return Number.isFinite(limit) ? limit : 0;
}
