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
import { BodyError, type HttpError, thrownError } from "../../errors.ts";
import { faultOf } from "../../exchange/content-fault.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { requestScope } from "../../exchange/scope.ts";
import { hasContent } from "../../interop/framing.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { AcceptLimiter } from "../accept-limiter.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import { listenOn } from "../listen.ts";
import { PeerWatch } from "../peer-watch.ts";
import { RunningHandlers } from "../running-handlers.ts";
import type { InFlightRequest, RequestWatcher, WorkerServer } from "../server.ts";
import type { EngineOptions, ErrorDescriber, ErrorReporter, ServerTimeouts } from "../server-options.ts";
import { TickClock } from "../tick-clock.ts";
import { UnfinishedHeads } from "../unfinished-heads.ts";
import { type ConnectionFailure, ListenerConnection } from "./listener-connection.ts";
import { ListenerExchange } from "./listener-exchange.ts";
import { NodeAccess } from "./node-access.ts";
import { type LimitListener, limitContent, refusalOf, upgradeRefusalOf } from "./node-limits.ts";
import {
  brokenOff,
  contentError,
  headsFull,
  headTimeout,
  isBehindLast,
  isHeadsFull,
  isReset,
  type ParserError,
  statusOf,
  writeRefusal,
} from "./parser-error.ts";
import { readInScope } from "./reading-scope.ts";

export interface NodeServerOptions {
  readonly listener: RequestListener;
  /** Takes the upgrade requests; undefined leaves them to `listener`, as node does without a listener. */
  readonly upgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined;
  readonly limits: EngineOptions["limits"];
  readonly timeouts: ServerTimeouts;
  /** How many connections there may be; any number by default. */
  readonly limiter?: AcceptLimiter;
  /** Tells of a request that was given up because its time was over. */
  readonly onError: ErrorReporter;
  /** Tells of a head that was refused for being beyond a limit. */
  readonly onHeadLimit?: LimitListener;
  /** What a 500 says of what the listener threw; undefined: nothing beyond the status. */
  readonly describeError?: ErrorDescriber | undefined;
  /** Gets a line for each request; undefined where none is wanted. */
  readonly accessLog?: AccessLog | undefined;
  /** Whose word of others the access log takes. An app has its own way to trust proxies. */
  readonly proxyRules?: ProxyRules | undefined;
  /** An unfinished head was refused, because all of them together hold too much. */
  readonly onHeadRefused?: () => void;
  readonly onAcceptError: (error: Error) => void;
}

/** How often unfinished heads are weighed while there are connections, in milliseconds: node's parser tells nobody. */
const WEIGH_EVERY = 100;

export class NodeServer implements WorkerServer {
  readonly #options: NodeServerOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Socket, ListenerConnection>();
  readonly #exchanges = new Set<ListenerExchange>();
  readonly #peers = new PeerWatch();
  readonly #handlers = new RunningHandlers();
  readonly #limiter: AcceptLimiter;
  /** Undefined where the access log is off. */
  readonly #access: NodeAccess | undefined;
  readonly #clock: TickClock;
  readonly #heads = new UnfinishedHeads<ListenerConnection>((connection) => {
    this.#failed(headsFull(), connection.socket);
    this.#options.onHeadRefused?.();
  });
  #weighing: NodeJS.Timeout | undefined;
  /** How long idle connections are still served; undefined until the server drains. */
  #linger: number | undefined;
  #shedding = 0;
  /** How many connections the app has taken over. */
  #upgraded = 0;
  #onlyUpgraded: (() => void) | undefined;
  #requests = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #onDue: () => void = () => {};
  #watch: RequestWatcher | undefined;

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#limiter = options.limiter ?? new AcceptLimiter();
    const { accessLog, proxyRules } = options;
    this.#access = accessLog && new NodeAccess(accessLog, proxyRules);
    const { header, body, bodyTotal, request } = options.timeouts;
    this.#clock = new TickClock([header, body, bodyTotal, request], (passed) => this.#findOverdue(passed));
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
    this.#limiter.addServer(server);
  }

  shed(connections: number): void {
    this.#shedding = connections;
  }

  afterRequests(answers: number, then: () => void): void {
    this.#dueAt = this.#requests + answers;
    this.#onDue = then;
  }

  inFlight(): InFlightRequest[] {
    const now = performance.now();
    return [...this.#exchanges].map((exchange) => {
      const record = exchange.log?.record();
      return { ...exchange.name, age: now - exchange.startedAt, ...(record && { record }) };
    });
  }

  watchRequests(watch: RequestWatcher | undefined): void {
    this.#watch = watch;
  }

  logUnfinished(): void {
    for (const { log } of this.#exchanges) log?.finish("worker-exit");
    this.#access?.finish();
  }

  async drain(lingerMs: number, onlyUpgraded?: () => void): Promise<void> {
    this.#linger = lingerMs;
    this.#onlyUpgraded = onlyUpgraded;
    for (const exchange of this.#exchanges) exchange.closeAfter();
    const now = this.#clock.exact;
    for (const connection of this.#connections.values()) connection.startLinger(now);
    this.#closeIdleAfter(lingerMs);
    // http's own close cuts idle connections at once, and with them the request a proxy is just sending.
    await Promise.all(
      this.#servers.map((server) => new Promise((done) => TcpServer.prototype.close.call(server, done))),
    );
    await this.#handlers.whenIdle();
    this.#clock.stop();
  }

  destroy(): void {
    this.#clock.stop();
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    for (const { log } of this.#exchanges) log?.because("worker-exit");
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#handlers.release();
  }

  #makeServer(): Server {
    const { limits, timeouts, upgrade, onHeadLimit } = this.#options;
    const server = createServer({
      keepAliveTimeout: finite(timeouts.keepAlive),
      // Node's own clocks run on while the loop is blocked, and nobody can be heard; `#findOverdue` looks at these.
      headersTimeout: 0,
      requestTimeout: 0,
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
        const connection = this.#connections.get(request.socket);
        // Behind a request that was refused nothing is one any more.
        if (connection === undefined || connection.refused) return;
        // A client that breaks off must not end the worker of an app that does not listen (yet).
        socket.on("error", () => {});
        const status = upgradeRefusalOf(request, limits, onHeadLimit);
        if (status !== undefined) {
          this.#refuseUpgrade(request, status);
          return;
        }
        // An upgraded connection is the app's, and never idle again.
        connection.begin();
        connection.upgrade();
        this.#upgraded += 1;
        this.#access?.upgrading(request, socket);
        requestScope().runInAsyncScope(upgrade, undefined, request, socket, head);
      });
    }
    server.on("clientError", (error: ParserError, socket) => this.#failed(error, socket as Socket));
    server.on("timeout", (socket) => this.#timedOut(socket));
    // Without a listener node closes the connection without a word.
    server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      socket.on("error", () => {});
      this.#refuseUpgrade(request, refusalOf(request, limits, onHeadLimit) ?? 501);
    });
    return server;
  }

  /** Node has given up the connection of such a request, whose answer is its last one. */
  #refuseUpgrade(request: IncomingMessage, status: number): void {
    this.#access?.refusedUpgrade(request, status);
    writeRefusal(request.socket, status);
    this.#connections.get(request.socket)?.refuse(this.#clock.now);
  }

  /** Node's parser has stumbled, or the connection has broken. What was asked before is still answered. */
  #failed(error: ParserError, socket: Socket): void {
    const connection = this.#connections.get(socket);
    // The parser says it again for whatever else comes.
    if (connection === undefined || connection.refused || connection.failure !== undefined) return;
    connection.failure = { error, alone: connection.exchanges === 0 && connection.unread === undefined };
    if (isReset(error)) this.#refuse(connection, connection.failure);
    else this.#refuseFailed(connection);
  }

  /** Refuses what node's parser stumbled over, once all that came before it has been answered. */
  #refuseFailed(connection: ListenerConnection): void {
    const { failure } = connection;
    if (failure === undefined) return;
    const ahead = this.#exchangesOn(connection.socket).some(({ request }) => request.complete);
    if (!ahead) this.#refuse(connection, failure);
  }

  #exchangesOn(socket: Socket): ListenerExchange[] {
    return [...this.#exchanges].filter(({ request }) => request.socket === socket);
  }

  #refuse(connection: ListenerConnection, { error, alone }: ConnectionFailure): void {
    const { socket, unread } = connection;
    const broken = this.#exchangesOn(socket).find(({ request }) => !request.complete);
    const status = statusOf(error);
    // Where its parser has something to say, something has come, unless that is that nothing ever did.
    const begun = isReset(error) ? connection.asked : socket.bytesRead > 0;
    this.#access?.refused(error, socket, {
      exchange: broken?.log,
      asked: begun && unread === undefined && !isBehindLast(error),
      alone,
    });
    if (broken !== undefined) this.#options.onError(contentError(error), broken.name);
    const { response } = broken ?? {};
    const answered = response?.headersSent === true;
    // What comes behind `Connection: close` is no request any more, nor is what comes behind an answered one.
    const answers = !answered && !isBehindLast(error) && unread === undefined && begun;
    if (status === 0 || !socket.writable || (answered && !response.writableEnded)) {
      socket.destroy();
      return;
    }
    // What all heads may have by these limits together, though it need not be one field that is too long.
    if (answers && status === 431) this.#options.onHeadLimit?.("fieldSize");
    if (answers) writeRefusal(socket, status);
    // Node's parser lets go of what it holds with the connection alone.
    if (isHeadsFull(error)) socket.destroySoon();
    else connection.refuse(this.#clock.now);
  }

  /**
   * A connection is to be closed for its silence, by node's own clock or one that the app has set. Node counts from
   * before a handler that blocks, so that a kept connection would be closed early behind one.
   */
  #timedOut(socket: Socket): void {
    const idle = this.#connections.get(socket)?.idleFor(this.#clock.exact);
    const left = idle === undefined ? 0 : this.#options.timeouts.keepAlive - idle;
    if (left > 0 && Number.isFinite(left)) {
      socket.setTimeout(left);
      return;
    }
    // As in node: an app that listens sees to it.
    const listens = (idle === undefined ? this.#exchangesOn(socket) : []).some(
      ({ request, response }) =>
        response.listenerCount("timeout") > 0 || (!request.complete && request.listenerCount("timeout") > 0),
    );
    if (!listens) socket.destroy();
  }

  #connected(socket: Socket): void {
    const connection = new ListenerConnection(socket, this.#clock.now);
    this.#connections.set(socket, connection);
    this.#weighing ??= setInterval(() => this.#weighHeads(), WEIGH_EVERY).unref();
    this.#limiter.connectionOpened(descriptorOf(socket));
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#heads.release(connection);
      this.#limiter.connectionClosed();
      if (connection.upgraded) this.#upgraded -= 1;
      // Node does not tell a response that was waiting behind another.
      if (connection.exchanges > 0) this.#forget(socket);
      this.#checkUpgraded();
    });
  }

  #weighHeads(): void {
    for (const connection of this.#connections.values()) {
      const bytes = connection.headBytes;
      if (bytes > 0) this.#heads.hold(connection, bytes);
      else this.#heads.release(connection);
    }
    if (this.#connections.size > 0) return;
    clearInterval(this.#weighing);
    this.#weighing = undefined;
  }

  #forget(socket: Socket): void {
    for (const exchange of this.#exchanges) {
      if (exchange.request.socket !== socket) continue;
      this.#exchanges.delete(exchange);
      exchange.onOver?.();
      this.#cut(exchange);
    }
  }

  /** Calls the app. What it throws, or its promise rejects with, is that request's affair and not the worker's. */
  #run(exchange: ListenerExchange): void {
    if (this.#watch !== undefined) {
      const { method, target } = exchange.name;
      exchange.onOver = this.#watch(method, target);
    }
    try {
      const { listener } = this.#options;
      const { request, response } = exchange;
      const result: unknown = requestScope().runInAsyncScope(listener, undefined, request, response);
      if (result instanceof Promise) this.#watchPromise(exchange, result);
    } catch (error) {
      this.#threw(exchange, error);
    }
  }

  #watchPromise(exchange: ListenerExchange, promise: Promise<unknown>): void {
    exchange.running = promise;
    this.#handlers.begin();
    promise.then(this.#handlers.settled, (thrown) => {
      this.#threw(exchange, thrown);
      this.#handlers.settled();
    });
  }

  #threw(exchange: ListenerExchange, thrown: unknown): void {
    const { onError, describeError } = this.#options;
    const error = thrownError(thrown);
    const { request } = exchange;
    if (request.destroyed && !request.complete) {
      // Its content was broken off, of which the client has been told: what the listener fails with comes of that.
      onError(faultOf(error, brokenOff()), exchange.name);
      return;
    }
    onError(error, exchange.name);
    exchange.fail(describeError?.(error, exchange.request.headers.accept));
  }

  /** Takes a request into the books; undefined when it is refused, and answered. */
  #begin(request: IncomingMessage, response: ServerResponse): ListenerExchange | undefined {
    const { limits, timeouts, onHeadLimit } = this.#options;
    const connection = this.#connections.get(request.socket);
    // Behind a request that was refused nothing is one any more.
    if (connection === undefined || connection.refused) return undefined;
    const log = this.#access?.begin(request, response);
    const exchange = new ListenerExchange(request, response, log, timeouts, this.#clock.now);
    this.#exchanges.add(exchange);
    connection.begin();
    // Not `once`, which costs each request a wrapper and its removal.
    response.on("close", () => this.#end(exchange));
    const last = this.#linger !== undefined || timeouts.keepAlive === 0 || this.#limiter.full;
    if (last) exchange.closeAfter();
    else if (this.#shedding > 0) {
      this.#shedding -= 1;
      exchange.closeAfter();
    }
    const status = refusalOf(request, limits, onHeadLimit);
    if (status !== undefined) {
      exchange.refuse(status);
      return undefined;
    }
    if (hasContent(request.method, request.headers)) readInScope(request);
    limitContent(request, limits.body, () => {
      this.#breakOff(exchange, new BodyError(413, `the content has more than ${limits.body} bytes`));
    });
    return exchange;
  }

  /** It has ended without a whole answer: nobody waits for what its listener still does. */
  #cut({ log, running }: ListenerExchange): void {
    log?.finishCut();
    if (running !== undefined) this.#handlers.abandon(running);
  }

  #end(exchange: ListenerExchange): void {
    if (!exchange.end()) return;
    this.#exchanges.delete(exchange);
    exchange.onOver?.();
    if (exchange.response.writableFinished) {
      exchange.log?.finish("complete");
      this.#requests += 1;
      if (this.#requests === this.#dueAt) this.#onDue();
    } else {
      this.#cut(exchange);
    }
    const connection = this.#connections.get(exchange.request.socket);
    if (connection === undefined) return;
    const draining = this.#linger !== undefined;
    connection.end(exchange, draining ? this.#clock.exact : this.#clock.now);
    this.#refuseFailed(connection);
    // Its head may have gone out before the draining began: then the client still thinks it can reuse it.
    if (this.#linger !== undefined) this.#closeIdleAfter(this.#linger);
  }

  /** Behind the input of that turn: a process that is late itself must not close what asked in time. */
  #closeIdleAfter(milliseconds: number): void {
    setTimeout(() => setImmediate(() => this.#closeIdle(milliseconds)), milliseconds);
  }

  /** Says once that nothing is left to do, but for connections on which the app has begun to speak the other protocol. */
  #checkUpgraded(): void {
    const told = this.#onlyUpgraded;
    if (told === undefined || this.#upgraded < this.#connections.size || this.#handlers.busy) return;
    for (const connection of this.#connections.values()) if (!connection.taken) return;
    this.#onlyUpgraded = undefined;
    told();
  }

  /** Closes the connections that have been idle for the whole linger. */
  #closeIdle(linger: number): void {
    // A timer may fire a fraction of a millisecond early.
    const now = this.#clock.exact + 1;
    for (const connection of this.#connections.values()) {
      const idle = connection.idleFor(now);
      if (idle !== undefined && idle >= linger) connection.socket.destroy();
    }
  }

  /**
   * Gives up on the requests whose content or answer takes too long, and on the connections whose client is behind with
   * something else.
   */
  #findOverdue(now: number): void {
    for (const exchange of this.#exchanges) {
      const error = exchange.overdue(now);
      if (error !== undefined) this.#breakOff(exchange, error);
    }
    for (const connection of this.#connections.values()) {
      const overdue = connection.overdue(now, this.#options.timeouts);
      if (overdue === "head") this.#failed(headTimeout(), connection.socket);
      else if (overdue !== undefined) connection.socket.destroy();
    }
    // Those for which a timer came too early: time in which the loop was blocked does not count.
    if (this.#linger !== undefined) this.#closeIdle(this.#linger);
    this.#checkUpgraded();
    this.#peers.checkPaused(now, this.#connections.values());
  }

  #breakOff(exchange: ListenerExchange, error: HttpError): void {
    const connection = this.#connections.get(exchange.request.socket);
    if (connection === undefined || connection.refused) return;
    this.#options.onError(error, exchange.name);
    exchange.breakOff(error, connection, this.#clock.now);
  }
}

/** The largest head node is told to accept, where the limits multiply to more than it can count. */
const MOST_HEAD = 2 ** 30;

/** Node's word for no limit is 0. */
function finite(limit: number): number {
  return Number.isFinite(limit) ? limit : 0;
}
