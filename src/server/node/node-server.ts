/**
 * Serves a node listener (Express, Koa, Fastify, Nest, …) on node's own http.Server, whose request and response objects
 * such an app needs. Creates the servers, makes them listen and drains them; `ServerEvents` handles what they receive.
 */
import { Server as TcpServer } from "node:net";
import { acceptorFor } from "../../adopt/acceptor.ts";
import { AcceptLimiter } from "../accept-limiter.ts";
import type { Front } from "../front/front.ts";
import { listenOn } from "../listen.ts";
import type { ConnectionStates, InFlightRequest, WorkerServer } from "../server.ts";
import { interceptServer } from "./adopted-events.ts";
import { adoptSettings } from "./adopted-settings.ts";
import { rememberHeaderNames } from "./header-names.ts";
import { createHttpServer } from "./http-server.ts";
import { markInternal } from "./listener-connections.ts";
import type { NodeServerOptions } from "./node-server-options.ts";
import { ServerEvents } from "./server-events.ts";

export class NodeServer implements WorkerServer {
  readonly #options: NodeServerOptions;
  readonly #limiter: AcceptLimiter;
  readonly #events: ServerEvents;
  readonly #front: Front | undefined;
  /** Makes a server that accepts connections. */
  readonly #makeServer: (front: Front | undefined) => TcpServer;
  readonly #servers: TcpServer[] = [];

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#limiter = options.limiter ?? new AcceptLimiter();
    this.#front = options.front?.(this.#limiter);
    rememberHeaderNames();
    if (options.adopted === undefined) {
      this.#events = new ServerEvents(options, this.#limiter);
      // One for each socket: an http.Server can listen only once.
      this.#makeServer = (front) => {
        const server = createHttpServer(options);
        this.#events.attach(server, options);
        return front === undefined ? server : acceptorFor(server, front);
      };
    } else {
      const { adopted } = options;
      const held = adoptSettings(adopted.server, options);
      this.#events = new ServerEvents({ ...options, ...held }, this.#limiter);
      interceptServer(adopted.server, this.#events, adopted.wrapper);
      this.#makeServer = (front) => acceptorFor(adopted.server, front);
    }
  }

  get connections(): number {
    return this.#events.connections.size + (this.#front?.size ?? 0);
  }

  connectionStates(): ConnectionStates {
    const states = this.#events.connections.states();
    return { ...states, idle: states.idle + (this.#front?.size ?? 0) };
  }

  get requests(): number {
    return this.#events.exchanges.completed;
  }

  listen(fd: number, backlog?: number): Promise<void> {
    return this.#open((server) => listenOn(server, fd, backlog), this.#front);
  }

  open(listen: (server: TcpServer) => Promise<void>): Promise<void> {
    return this.#open(async (server) => {
      server.prependListener("connection", markInternal);
      await listen(server);
    }, undefined);
  }

  async #open(listen: (server: TcpServer) => Promise<void>, front: Front | undefined): Promise<void> {
    const server = this.#makeServer(front);
    await listen(server);
    server.on("error", this.#options.onAcceptError);
    this.#servers.push(server);
    this.#limiter.addServer(server);
  }

  shed(connections: number): void {
    this.#events.connections.shed(connections);
  }

  afterRequests(responses: number, then: () => void): void {
    this.#events.exchanges.afterRequests(responses, then);
  }

  inFlight(): InFlightRequest[] {
    return this.#events.exchanges.inFlight();
  }

  logUnfinished(): void {
    this.#events.logUnfinished();
  }

  async drain(lingerMs: number, onlyUpgraded?: () => void): Promise<void> {
    this.#events.drain(lingerMs, onlyUpgraded);
    // http.Server's own close destroys idle connections at once, and with them a request that a proxy is just sending.
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    await this.#front?.drain(lingerMs);
    await this.#events.connections.whenEmpty();
    await this.#events.exchanges.handlers.whenIdle();
    this.#events.stop();
  }

  destroy(): void {
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    this.#front?.destroy();
    this.#events.destroy();
  }
}
