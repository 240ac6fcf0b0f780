/**
 * Handles the events of http.Servers with the limits, timeouts and draining of the gateway engine. It neither creates a
 * server nor makes one listen: an attached server may be anybody's.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type KnownEndpoints, knownBySocket } from "../../exchange/endpoint.ts";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { factsOf } from "../front/facts.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import { PeerWatch } from "../peer-watch.ts";
import type { SessionServer } from "../session-server.ts";
import { TickClock } from "../tick-clock.ts";
import { untrackConnections } from "./http-server.ts";
import type { ClientErrorListener, ListenerConnection } from "./listener-connection.ts";
import { ListenerConnections } from "./listener-connections.ts";
import { ListenerExchanges } from "./listener-exchanges.ts";
import { NodeAccessLog } from "./node-access-log.ts";
import { NodeRequestMeter, type NodeRequestWatch } from "./node-request-watch.ts";
import type { ServedListeners, ServerEventsOptions, UpgradeListener } from "./node-server-options.ts";
import { headsFull, headTimeout, type ParserError } from "./parser-error.ts";
import { ParserFailures } from "./parser-failures.ts";
import { pauseWithParser } from "./parser-pause.ts";
import { whenItsTurn } from "./response-turn.ts";
import { Upgrades } from "./upgrades.ts";

export class ServerEvents {
  readonly connections: ListenerConnections;
  readonly exchanges: ListenerExchanges;
  readonly clock: TickClock;
  /** Sessions of HTTP/2, which belong to the server as well; undefined if it is not spoken. */
  sessions: SessionServer<never> | undefined;
  draining = false;
  /** Undefined if requests are neither counted nor logged. */
  readonly #requests: NodeRequestWatch | undefined;
  readonly #upgrades: Upgrades;
  readonly #failures: ParserFailures;
  readonly #gate: InFlightGate | undefined;
  readonly #peers = new PeerWatch();
  /** Called once only upgraded connections are left; undefined until the drain and after the call. */
  #onOnlyUpgraded: (() => void) | undefined;

  constructor(options: ServerEventsOptions, limiter: AcceptLimiter) {
    const { accessLog, proxyRules, timeouts, meter, gate } = options;
    this.#gate = gate;
    const { header, body, bodyTotal, request } = timeouts;
    if (accessLog !== undefined) this.#requests = new NodeAccessLog(accessLog, proxyRules, meter);
    else this.#requests = meter && new NodeRequestMeter(meter);
    this.clock = new TickClock([header, body, bodyTotal, request], (now) => this.#checkOverdue(now));
    this.connections = new ListenerConnections(options, limiter, this.clock, {
      onClose: (connection) => this.#connectionClosed(connection),
      onHeadTimeout: ({ socket }) => this.#failures.handle(headTimeout(), socket),
      onHeadsFull: ({ socket }) => {
        this.#failures.handle(headsFull(), socket);
        options.onHeadRefused?.();
      },
      onLateContent: (connection) => this.#contentIsLate(connection),
    });
    const { connections } = this;
    this.exchanges = new ListenerExchanges(options, connections, this.#requests, this.clock, (connection) =>
      this.#failures.refuseWhenDue(connection),
    );
    this.#upgrades = new Upgrades(options, connections, this.#requests, this.clock);
    this.#failures = new ParserFailures(options, connections, this.#requests, this.clock);
  }

  /**
   * Serves `server`, which has no other listeners. It must be the one that listens on the socket: its address shows
   * whether its connections are Unix sockets.
   */
  attach(server: Server, { listener, upgrade }: ServedListeners): void {
    if (untrackConnections(server)) {
      server.closeIdleConnections = () => this.connections.closeIdle(server);
      server.closeAllConnections = () => this.connections.closeAll(server);
    }
    server.on("connection", (socket) => {
      const address = server.address();
      const isUnix = address === null || typeof address === "string";
      this.accept(socket, factsOf(socket) ?? knownBySocket(isUnix));
    });
    server.on("request", (request, response) => this.request(request, response, listener));
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      this.continue(request, response, listener);
    });
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      this.refuseExpectation(request, response);
    });
    if (upgrade !== undefined) {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        this.upgrade(request, socket, head, upgrade);
      });
    }
    server.on("connect", (request: IncomingMessage, socket: Duplex) => this.refuseConnect(request, socket));
    server.on("clientError", (error: ParserError, socket) => this.clientError(error, socket as Socket));
    server.on("timeout", (socket) => this.timedOut(socket));
  }

  // The handlers of a server's events. They return true, as `emit` does: the event has been handled.

  accept(socket: Socket, known: KnownEndpoints): void {
    this.#requests?.connected(socket, known);
    this.connections.open(socket, known);
    pauseWithParser(socket);
    this.#gate?.connected();
  }

  request(request: IncomingMessage, response: ServerResponse, listener: RequestListener): boolean {
    const exchange = this.exchanges.begin(request, response);
    if (exchange !== undefined) this.exchanges.serve(exchange, listener);
    return true;
  }

  /** Handles `Expect: 100-continue` for a listener that knows nothing of it. */
  continue(request: IncomingMessage, response: ServerResponse, listener: RequestListener): boolean {
    const exchange = this.exchanges.begin(request, response);
    if (exchange === undefined) return true;
    whenItsTurn(response, () => {
      this.exchanges.serve(exchange, (...both) => {
        response.writeContinue();
        return listener(...both);
      });
    });
    return true;
  }

  refuseExpectation(request: IncomingMessage, response: ServerResponse): boolean {
    const exchange = this.exchanges.begin(request, response);
    if (exchange !== undefined) this.exchanges.refuse(exchange, 417);
    return true;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, listener: UpgradeListener): boolean {
    this.#upgrades.upgrade(listener, request, socket, head);
    return true;
  }

  refuseConnect(request: IncomingMessage, socket: Duplex): boolean {
    this.#upgrades.refuseConnect(request, socket);
    return true;
  }

  /** @param listener the app's own, which answers the error and closes the connection */
  clientError(error: ParserError, socket: Socket, listener?: ClientErrorListener): boolean {
    this.#failures.handle(error, socket, listener);
    return true;
  }

  /**
   * Handles the silence of a socket, which node or the app has set a timeout for.
   *
   * @param pass calls the app's listeners of the server, and returns whether there are any
   */
  timedOut(socket: Socket, pass: () => boolean = () => false): boolean {
    const connection = this.connections.get(socket);
    if (connection !== undefined && this.connections.extendKeepAlive(connection)) return true;
    if (!pass() && connection?.handlesTimeout !== true) socket.destroy();
    return true;
  }

  #contentIsLate(connection: ListenerConnection): void {
    const [exchange] = connection.exchanges();
    if (exchange !== undefined) this.exchanges.breakOffLate(exchange);
    // Its response has been sent already.
    else connection.socket.destroy();
  }

  #connectionClosed(connection: ListenerConnection): void {
    this.#upgrades.connectionClosed(connection);
    this.exchanges.connectionClosed(connection);
    this.#checkOnlyUpgraded();
  }

  #checkOverdue(now: number): void {
    this.exchanges.checkOverdue(now);
    this.connections.checkOverdue(now);
    this.sessions?.checkDeadlines(now);
    this.#checkOnlyUpgraded();
    this.#peers.checkPaused(now, this.connections);
  }

  #checkOnlyUpgraded(): void {
    const notify = this.#onOnlyUpgraded;
    if (notify === undefined || this.exchanges.handlers.busy || !this.#upgrades.onlyUpgraded) return;
    const sessions = this.sessions?.states();
    if (sessions !== undefined && sessions.active + sessions.idle > 0) return;
    this.#onOnlyUpgraded = undefined;
    notify();
  }

  /** Makes each response the last one of its connection, and closes connections that have been idle for `lingerMs`. */
  drain(lingerMs: number, onOnlyUpgraded?: () => void): void {
    this.draining = true;
    this.#onOnlyUpgraded = onOnlyUpgraded;
    this.exchanges.drain();
    this.connections.drain(lingerMs);
    this.sessions?.drain(lingerMs);
  }

  logUnfinished(): void {
    this.exchanges.logUnfinished();
    this.sessions?.logUnfinished();
    this.#requests?.finish();
  }

  /** Stops the clock. Call when no connection is left. */
  stop(): void {
    this.clock.stop();
  }

  destroy(): void {
    this.clock.stop();
    this.exchanges.destroy();
    this.sessions?.destroy();
    this.connections.destroy();
  }
}
