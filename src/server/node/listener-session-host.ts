/** Node's server as the sessions of HTTP/2 see it, which are served beside its own connections and counted with them. */
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { ConnectionEndpoints } from "../../exchange/endpoint.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import type { ConnectionFacts } from "../front/facts.ts";
import type { Occupants } from "../places/place-keeper.ts";
import type { RunningHandlers } from "../running-handlers.ts";
import type { SessionHost, SessionServer } from "../session-server.ts";
import type { TickClock } from "../tick-clock.ts";
import type { ServedListeners, ServerEventsOptions, UpgradeListener } from "./node-server-options.ts";
import type { ServerEvents } from "./server-events.ts";

/** Serves the sessions of node listeners. */
export type MakeListenerSessions = (host: ListenerSessionHost) => SessionServer<ListenerContext>;

/** The facts that all requests of a session share. */
export class ListenerContext extends ConnectionEndpoints {
  /** The connection, as the app sees it. */
  readonly socket: Socket;
  readonly scheme: "http" | "https";
  readonly #rules: ProxyRules | undefined;
  #isTrusted: boolean | undefined;

  constructor(socket: Socket, facts: ConnectionFacts, rules: ProxyRules | undefined) {
    super(socket, facts);
    this.socket = socket;
    this.scheme = facts.tls === undefined && facts.proxy?.tls === undefined ? "http" : "https";
    this.#rules = rules;
  }

  /** The rules for the peer's forwarded fields; undefined if it is not trusted. */
  get proxyRules(): ProxyRules | undefined {
    this.#isTrusted ??= this.#rules?.trusts(this.peer) ?? false;
    return this.#isTrusted ? this.#rules : undefined;
  }
}

export class ListenerSessionHost implements SessionHost {
  readonly options: ServerEventsOptions;
  readonly listener: RequestListener;
  /** Undefined if the app takes no connections that change protocols. */
  readonly upgrade: UpgradeListener | undefined;
  readonly #events: ServerEvents;
  readonly #limiter: AcceptLimiter;
  #onEmpty: (() => void) | undefined;
  #sessions: SessionServer<ListenerContext> | undefined;

  constructor(
    { listener, upgrade, ...options }: ServedListeners & ServerEventsOptions,
    events: ServerEvents,
    limiter: AcceptLimiter,
  ) {
    this.options = options;
    this.listener = listener;
    this.upgrade = upgrade;
    this.#events = events;
    this.#limiter = limiter;
  }

  /** Begins to serve sessions, as a part of the server. */
  serve(make: MakeListenerSessions): void {
    this.#sessions = make(this);
    this.#events.sessions = this.#sessions;
  }

  admit(socket: Socket, facts: ConnectionFacts): void {
    this.#sessions?.admit(socket, new ListenerContext(socket, facts, this.options.proxyRules));
  }

  get clock(): TickClock {
    return this.#events.clock;
  }

  get handlers(): RunningHandlers {
    return this.#events.exchanges.handlers;
  }

  get draining(): boolean {
    return this.#events.draining;
  }

  get full(): boolean {
    return this.#limiter.full;
  }

  get shedding(): number {
    return this.#events.connections.shedding;
  }

  set shedding(connections: number) {
    this.#events.connections.shed(connections);
  }

  onResponse(): void {
    this.#events.exchanges.countCompleted();
  }

  addOccupants<Connection>(occupants: Occupants<Connection>): void {
    this.#limiter.addOccupants(occupants);
  }

  onOpened(socket: Socket): void {
    this.#limiter.connectionOpened(descriptorOf(socket));
  }

  onClosed(): void {
    this.#limiter.connectionClosed();
    if (this.#sessions?.size === 0) this.#onEmpty?.();
  }

  /** Resolves when no session is open. Call when the server drains. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if ((this.#sessions?.size ?? 0) === 0) resolve();
    });
  }
}
