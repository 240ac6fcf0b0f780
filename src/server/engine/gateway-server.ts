/**
 * The engine as a worker sees it: accepts on inherited sockets, keeps the connections and their common clock, and
 * drains.
 */
import { AsyncResource } from "node:async_hooks";
import { createServer, type Server, type Socket } from "node:net";
import type { ExchangeContext } from "../../exchange/request.ts";
import { answerDresser, type DressAnswer } from "../../exchange/server-answer.ts";
import type { App, Handler } from "../../gateway/types.ts";
import { AcceptLimiter } from "../accept-limiter.ts";
import { acceptConnections, acceptThroughFront } from "../channel/accept.ts";
import type { Channel } from "../channel/channel.ts";
import { SocketChannel } from "../channel/socket-channel.ts";
import { ConnectionContext } from "../connection-context.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import type { ConnectionFacts } from "../front/facts.ts";
import type { Front } from "../front/front.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import { listenOn } from "../listen.ts";
import { MemberList } from "../member-list.ts";
import { PeerWatch } from "../peer-watch.ts";
import type { Occupants } from "../places/place-keeper.ts";
import { RunningHandlers } from "../running-handlers.ts";
import type { ConnectionStates, InFlightRequest, WorkerServer } from "../server.ts";
import type { EngineOptions } from "../server-options.ts";
import type { GatewayOptions, GatewaySessionHost, SessionServer } from "../session-server.ts";
import { TickClock } from "../tick-clock.ts";
import { UnfinishedHeads } from "../unfinished-heads.ts";
import { EngineConnection } from "./connection.ts";
import type { ConnectionHost } from "./contract.ts";
import { EngineExchangeLogs } from "./engine-exchange-log.ts";
import { EngineExchangeMeter, type EngineExchangeWatch } from "./engine-exchange-watch.ts";
import { ParserPool } from "./parser-pool.ts";

/** Names a request that was not understood, in an error line. */
const NO_REQUEST = { method: "-", target: "-", id: "-" };

export class GatewayServer implements WorkerServer, ConnectionHost<EngineConnection>, GatewaySessionHost {
  readonly handle: Handler;
  readonly upgrade: Handler | undefined;
  readonly dress: DressAnswer | undefined;
  readonly options: EngineOptions;
  readonly scope = new AsyncResource("TSGUN_SERVER");
  draining = false;
  lingerMs = 0;
  shedding = 0;
  requests = 0;
  readonly parsers: ParserPool;
  readonly peers = new PeerWatch();
  readonly handlers = new RunningHandlers();
  #callbackAt = Number.POSITIVE_INFINITY;
  #callback: () => void = () => {};
  readonly #listeners: Server[] = [];
  readonly #connections = new MemberList<EngineConnection>();
  readonly #limiter: AcceptLimiter;
  readonly #front: Front | undefined;
  readonly clock: TickClock;
  /** Serves connections of HTTP/2; undefined if that is not spoken. */
  readonly #sessions: SessionServer<ConnectionContext> | undefined;
  readonly heads = new UnfinishedHeads<EngineConnection>((connection) => {
    connection.refuseHead();
    this.options.onHeadRefused?.();
  });
  /** Undefined without an access log. */
  readonly #logs: EngineExchangeLogs | undefined;
  #onEmpty: (() => void) | undefined;

  /** @param app its methods are called with their own `this`, so that an app may be an instance of a class */
  constructor(app: App, options: GatewayOptions) {
    this.handle = app.handle.bind(app) as Handler;
    this.upgrade = app.upgrade?.bind(app) as Handler | undefined;
    this.dress = answerDresser(app, (error, { request }) => options.onError(error, request ?? NO_REQUEST));
    this.options = options;
    this.parsers = new ParserPool(options.limits);
    this.#limiter = options.limiter ?? new AcceptLimiter();
    this.#front = options.front?.(this.#limiter);
    this.#logs =
      options.accessLog && new EngineExchangeLogs(options.accessLog, options.proxyRules, options.meter);
    const { header, body, bodyTotal, request, keepAlive } = options.timeouts;
    const timeouts = [header, body, bodyTotal, request, keepAlive || header];
    this.clock = new TickClock(timeouts, (passed) => this.#checkDeadlines(passed));
    this.#limiter.addOccupants({
      connections: this.#connections,
      now: () => this.clock.exact,
      standing: (connection, now) => connection.standing(now),
      giveWay: (connection, wait) => connection.giveWay(wait),
    });
    this.#sessions = options.http2?.(this);
  }

  get now(): number {
    return this.clock.now;
  }

  get full(): boolean {
    return this.#limiter.full;
  }

  get connections(): number {
    return this.#connections.size + (this.#front?.size ?? 0) + (this.#sessions?.size ?? 0);
  }

  connectionStates(): ConnectionStates {
    const states = { active: 0, idle: this.#front?.size ?? 0, upgraded: 0 };
    for (const { state } of this.#connections) states[state] += 1;
    const sessions = this.#sessions?.states();
    if (sessions === undefined) return states;
    const { active, idle, upgraded } = sessions;
    return {
      active: states.active + active,
      idle: states.idle + idle,
      upgraded: states.upgraded + upgraded,
    };
  }

  listen(fd: number, backlog?: number): Promise<void> {
    return this.#open((server) => listenOn(server, fd, backlog), this.#front, this.options.gate);
  }

  open(listen: (server: Server) => Promise<void>): Promise<void> {
    return this.#open(listen, undefined);
  }

  async #open(
    listen: (server: Server) => Promise<void>,
    front: Front | undefined,
    gate?: InFlightGate,
  ): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: front !== undefined });
    await listen(server);
    this.adopt(server, front, gate);
  }

  /**
   * Accepts the connections of a server that already listens; with a front, it must pause them (`pauseOnConnect`).
   * @param gate bounds their requests; undefined: nothing does
   */
  adopt(server: Server, front?: Front, gate?: InFlightGate): void {
    server.on("error", this.options.onAcceptError);
    const address = server.address();
    const isUnix = server.listening && (address === null || typeof address === "string");
    const serve = (channel: Channel, facts: ConnectionFacts): EngineConnection =>
      this.#connected(channel, facts, gate);
    const admit = (socket: Socket, facts: ConnectionFacts): void => {
      if (facts.protocol !== "h2" || this.#sessions === undefined) {
        const channel = SocketChannel.over(socket);
        channel.start(serve(channel, facts));
      } else {
        this.#sessions.admit(socket, new ConnectionContext(socket, facts, this));
        if (this.draining) this.#closeIdleAt(this.clock.exact + this.lingerMs);
      }
    };
    const plain: ConnectionFacts = { isUnix };
    if (front === undefined) acceptConnections(server, (channel) => channel.start(serve(channel, plain)));
    else if (front.takesChannels) {
      const owner = { serve, admit };
      acceptConnections(server, (channel) => front.admitChannel(channel, isUnix, owner));
    } else acceptThroughFront(server, { front, isUnix }, admit);
    this.#listeners.push(server);
    this.#limiter.addServer(server);
  }

  #connected(channel: Channel, facts: ConnectionFacts, gate: InFlightGate | undefined): EngineConnection {
    const context = new ConnectionContext(channel, facts, this);
    const connection = new EngineConnection(channel, this, context, gate);
    this.#connections.add(connection);
    this.#limiter.connectionOpened(channel.descriptor);
    gate?.connected();
    if (this.draining) {
      connection.drain(this.clock.exact + this.lingerMs);
      this.#closeIdleAt(this.clock.exact + this.lingerMs);
    }
    return connection;
  }

  afterRequests(count: number, callback: () => void): void {
    this.#callbackAt = this.requests + count;
    this.#callback = callback;
  }

  inFlight(): InFlightRequest[] {
    const now = performance.now();
    const requests = [...this.#connections].flatMap((connection) => {
      const current = connection.current;
      if (current === undefined) return [];
      const { request, startedAt, ...counted } = current;
      const { method, target, id } = request;
      return [{ method, target, id, age: now - startedAt, remote: request.remote.address, ...counted }];
    });
    return this.#sessions === undefined ? requests : [...requests, ...this.#sessions.inFlight()];
  }

  logUnfinished(): void {
    for (const connection of this.#connections) connection.logUnfinished();
    this.#sessions?.logUnfinished();
  }

  async drain(lingerMs: number): Promise<void> {
    this.draining = true;
    this.lingerMs = lingerMs;
    for (const listener of this.#listeners) listener.close();
    const deadline = this.clock.exact + lingerMs;
    for (const connection of this.#connections) connection.drain(deadline);
    this.#sessions?.drain(lingerMs);
    this.#closeIdleAt(this.clock.exact + lingerMs);
    await this.#front?.drain(lingerMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
    await this.handlers.whenIdle();
  }

  /** Ends the linger of a drain when it is over: a tick of the clock may be most of a second later. */
  #closeIdleAt(deadline: number): void {
    const check = (): void => {
      const { exact } = this.clock;
      if (exact < deadline) this.#closeIdleAt(deadline);
      else this.#checkDeadlines(exact);
    };
    // Waits for the input of that turn as well: the client may be just in time.
    setTimeout(() => setImmediate(check), Math.ceil(deadline - this.clock.exact)).unref();
  }

  destroy(): void {
    for (const listener of this.#listeners) listener.close();
    this.#front?.destroy();
    this.options.gate?.close();
    for (const connection of this.#connections) connection.destroy();
    this.#sessions?.destroy();
    this.handlers.release();
    this.clock.stop();
  }

  shed(connections: number): void {
    this.shedding = connections;
  }

  watchExchanges(context: ExchangeContext): EngineExchangeWatch | undefined {
    const { meter } = this.options;
    return this.#logs?.open(context) ?? (meter && new EngineExchangeMeter(meter, context));
  }

  onResponse(): void {
    this.requests += 1;
    if (this.requests === this.#callbackAt) this.#callback();
  }

  addOccupants<Connection>(occupants: Occupants<Connection>): void {
    this.#limiter.addOccupants(occupants);
  }

  onOpened(socket: Socket): void {
    this.#limiter.connectionOpened(descriptorOf(socket));
  }

  onClosed(connection?: EngineConnection): void {
    if (connection !== undefined) this.#connections.delete(connection);
    this.#limiter.connectionClosed();
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#connections.size + (this.#sessions?.size ?? 0) > 0 || this.#onEmpty === undefined) return;
    this.clock.stop();
    this.#onEmpty();
  }

  #checkDeadlines(passed: number): void {
    for (const connection of this.#connections) connection.checkDeadlines(passed);
    this.#sessions?.checkDeadlines(passed);
    this.peers.checkEnded(this.now);
    this.peers.checkPaused(this.now, this.#connections);
  }
}
