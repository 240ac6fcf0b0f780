/**
 * Serves a node listener (Express, Koa, Fastify, Nest, …) on node's own http.Server, whose request and response objects
 * such an app needs. Creates the servers, makes them listen and drains them; `ServerEvents` handles what they receive.
 */
import { type Socket, Server as TcpServer } from "node:net";
import { acceptorFor } from "../../adopt/acceptor.ts";
import { AcceptLimiter } from "../accept-limiter.ts";
import type { ConnectionFacts } from "../front/facts.ts";
import type { Front } from "../front/front.ts";
import { listenOn } from "../listen.ts";
import type { ConnectionStates, InFlightRequest, WorkerServer } from "../server.ts";
import { interceptServer, isTls } from "./adopted-events.ts";
import { adoptSettings } from "./adopted-settings.ts";
import { Handshakes } from "./handshakes.ts";
import { rememberHeaderNames } from "./header-names.ts";
import { createHttpServer } from "./http-server.ts";
import { markInternal } from "./listener-connections.ts";
import { ListenerSessionHost, type MakeListenerSessions } from "./listener-session-host.ts";
import type { NodeServerOptions } from "./node-server-options.ts";
import { ServerEvents } from "./server-events.ts";

export class NodeServer implements WorkerServer {
  readonly #options: NodeServerOptions;
  readonly #limiter: AcceptLimiter;
  readonly #events: ServerEvents;
  readonly #front: Front | undefined;
  /** Undefined if HTTP/2 is not spoken. */
  readonly #sessions: ListenerSessionHost | undefined;
  /** Undefined unless the app's server speaks TLS. */
  readonly #handshakes: Handshakes | undefined;
  /** Makes a server that accepts connections. */
  readonly #makeServer: (front: Front | undefined) => TcpServer;
  readonly #servers: TcpServer[] = [];

  /** @param http2 serves connections of HTTP/2 for listeners, which only a front tells from others; undefined: not spoken */
  constructor(options: NodeServerOptions, http2?: MakeListenerSessions) {
    this.#options = options;
    this.#limiter = options.limiter ?? new AcceptLimiter();
    this.#front = options.front?.(this.#limiter);
    rememberHeaderNames();
    if (options.adopted === undefined) {
      this.#events = new ServerEvents(options, this.#limiter);
      if (http2 !== undefined) {
        this.#sessions = new ListenerSessionHost(options, this.#events, this.#limiter);
        this.#sessions.serve(http2);
      }
      // One for each socket: an http.Server can listen only once.
      this.#makeServer = (front) => {
        const server = createHttpServer(options);
        this.#events.attach(server, options);
        return front === undefined ? server : acceptorFor(server, front, this.#divertHttp2);
      };
    } else {
      const { adopted } = options;
      const held = adoptSettings(adopted.server, options);
      this.#events = new ServerEvents({ ...options, ...held }, this.#limiter);
      if (isTls(adopted.server)) this.#handshakes = new Handshakes(this.#limiter, options.meter);
      interceptServer(adopted.server, this.#events, adopted.wrapper, this.#handshakes);
      this.#makeServer = (front) => acceptorFor(adopted.server, front);
    }
  }

  /** Takes the connections of HTTP/2, which are none of an http.Server. */
  readonly #divertHttp2 = (socket: Socket, facts: ConnectionFacts): boolean => {
    if (facts.protocol !== "h2" || this.#sessions === undefined) return false;
    this.#sessions.admit(socket, facts);
    return true;
  };

  get connections(): number {
    const { connections, sessions } = this.#events;
    return connections.size + this.#arriving + (sessions?.size ?? 0);
  }

  connectionStates(): ConnectionStates {
    const { connections, sessions } = this.#events;
    const { active, idle, upgraded } = connections.states();
    const over2 = sessions?.states();
    return {
      active: active + (over2?.active ?? 0),
      idle: idle + (over2?.idle ?? 0) + this.#arriving,
      upgraded: upgraded + (over2?.upgraded ?? 0),
    };
  }

  /** Connections in the front, or in a handshake with the app's server. */
  get #arriving(): number {
    return (this.#front?.size ?? 0) + (this.#handshakes?.size ?? 0);
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
    const { exchanges, sessions } = this.#events;
    return sessions === undefined
      ? exchanges.inFlight()
      : [...exchanges.inFlight(), ...sessions.inFlight()].sort((a, b) => b.age - a.age);
  }

  logUnfinished(): void {
    this.#events.logUnfinished();
  }

  async drain(lingerMs: number, onlyUpgraded?: () => void): Promise<void> {
    this.#events.drain(lingerMs, onlyUpgraded);
    // http.Server's own close destroys idle connections at once, and with them a request that a proxy is just sending.
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    await this.#front?.drain(lingerMs);
    await this.#handshakes?.drain(lingerMs, this.#options.timeouts.header);
    await this.#events.connections.whenEmpty();
    await this.#sessions?.whenEmpty();
    await this.#events.exchanges.handlers.whenIdle();
    this.#events.stop();
  }

  destroy(): void {
    for (const server of this.#servers) TcpServer.prototype.close.call(server);
    this.#front?.destroy();
    this.#handshakes?.destroy();
    this.#events.destroy();
  }
}
