/**
 * Handles the events of http.Servers with the limits, timeouts and draining of the gateway engine. It neither creates a
 * server nor makes one listen: an attached server may be anybody's.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { PeerWatch } from "../peer-watch.ts";
import { TickClock } from "../tick-clock.ts";
import type { ListenerConnection } from "./listener-connection.ts";
import { ListenerConnections } from "./listener-connections.ts";
import { ListenerExchanges } from "./listener-exchanges.ts";
import { NodeAccessLog } from "./node-access-log.ts";
import type { NodeServerOptions } from "./node-server-options.ts";
import { headsFull, headTimeout, type ParserError } from "./parser-error.ts";
import { ParserFailures } from "./parser-failures.ts";
import { Upgrades } from "./upgrades.ts";

export class ServerEvents {
  readonly connections: ListenerConnections;
  readonly exchanges: ListenerExchanges;
  readonly #options: NodeServerOptions;
  readonly #clock: TickClock;
  /** Undefined if the access log is off. */
  readonly #access: NodeAccessLog | undefined;
  readonly #upgrades: Upgrades;
  readonly #failures: ParserFailures;
  readonly #peers = new PeerWatch();
  /** Called once only upgraded connections are left; undefined until the drain and after the call. */
  #onOnlyUpgraded: (() => void) | undefined;

  constructor(options: NodeServerOptions, limiter: AcceptLimiter) {
    this.#options = options;
    const { accessLog, proxyRules, timeouts } = options;
    const { header, body, bodyTotal, request } = timeouts;
    this.#access = accessLog && new NodeAccessLog(accessLog, proxyRules);
    this.#clock = new TickClock([header, body, bodyTotal, request], (now) => this.#checkOverdue(now));
    this.connections = new ListenerConnections(timeouts, limiter, this.#clock, {
      onClose: (connection) => this.#connectionClosed(connection),
      onHeadTimeout: ({ socket }) => this.#failures.handle(headTimeout(), socket),
      onHeadsFull: ({ socket }) => {
        this.#failures.handle(headsFull(), socket);
        options.onHeadRefused?.();
      },
    });
    const { connections } = this;
    this.exchanges = new ListenerExchanges(options, connections, this.#access, this.#clock, (connection) =>
      this.#failures.refuseWhenDue(connection),
    );
    this.#upgrades = new Upgrades(options, connections, this.#access, this.#clock);
    this.#failures = new ParserFailures(options, connections, this.exchanges, this.#access, this.#clock);
  }

  /** Serves `server`, which must be the one that listens: its address shows whether its connections are Unix sockets. */
  attach(server: Server): void {
    const { exchanges } = this;
    server.on("connection", (socket) => {
      const address = server.address();
      this.#access?.connected(socket, address === null || typeof address === "string");
      this.connections.open(socket);
    });
    server.on("request", (request, response) => {
      const exchange = exchanges.begin(request, response);
      if (exchange !== undefined) exchanges.run(exchange);
    });
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      const exchange = exchanges.begin(request, response);
      if (exchange === undefined) return;
      response.writeContinue();
      exchanges.run(exchange);
    });
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      exchanges.begin(request, response)?.refuse(417);
    });
    const { upgrade } = this.#options;
    if (upgrade !== undefined) {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        this.#upgrades.upgrade(upgrade, request, socket, head);
      });
    }
    server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      this.#upgrades.refuseConnect(request, socket);
    });
    server.on("clientError", (error: ParserError, socket) => this.#failures.handle(error, socket as Socket));
    server.on("timeout", (socket) => this.#timedOut(socket));
  }

  /** Handles the silence of a socket, which node or the app has set a timeout for. */
  #timedOut(socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection !== undefined && this.connections.extendKeepAlive(connection)) return;
    if (!this.exchanges.handlesTimeout(socket)) socket.destroy();
  }

  #connectionClosed(connection: ListenerConnection): void {
    this.#upgrades.connectionClosed(connection);
    if (connection.exchanges > 0) this.exchanges.connectionClosed(connection.socket);
    this.#checkOnlyUpgraded();
  }

  #checkOverdue(now: number): void {
    this.exchanges.checkOverdue(now);
    this.connections.checkOverdue(now);
    this.#checkOnlyUpgraded();
    this.#peers.checkPaused(now, this.connections);
  }

  #checkOnlyUpgraded(): void {
    const notify = this.#onOnlyUpgraded;
    if (notify === undefined || this.exchanges.handlers.busy || !this.#upgrades.onlyUpgraded) return;
    this.#onOnlyUpgraded = undefined;
    notify();
  }

  /** Makes each response the last one of its connection, and closes connections that have been idle for `lingerMs`. */
  drain(lingerMs: number, onOnlyUpgraded?: () => void): void {
    this.#onOnlyUpgraded = onOnlyUpgraded;
    this.exchanges.drain();
    this.connections.drain(lingerMs);
  }

  logUnfinished(): void {
    this.exchanges.logUnfinished();
    this.#access?.finish();
  }

  /** Stops the clock. Call when no connection is left. */
  stop(): void {
    this.#clock.stop();
  }

  destroy(): void {
    this.#clock.stop();
    this.exchanges.destroy();
    this.connections.destroy();
  }
}
