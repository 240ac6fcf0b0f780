/** The open connections of node's server: how many there may be, which are idle, and when they close. */
import type { Socket } from "node:net";
import type { KnownEndpoints } from "../../exchange/endpoint.ts";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import { MemberList } from "../member-list.ts";
import type { Wait } from "../places/policy.ts";
import type { RequestMeter } from "../request-meter.ts";
import type { ConnectionStates } from "../server.ts";
import type { ServerTimeouts } from "../server-options.ts";
import type { TickClock } from "../tick-clock.ts";
import { ArrivingHeads } from "./arriving-heads.ts";
import { ListenerConnection } from "./listener-connection.ts";
import type { ListenerExchange } from "./listener-exchange.ts";
import type { ServerEventsOptions } from "./node-server-options.ts";
import { reuseTimer } from "./reused-timer.ts";

export interface ConnectionEvents {
  onClose(connection: ListenerConnection): void;
  /** A head was not complete in time. */
  onHeadTimeout(connection: ListenerConnection): void;
  /** A head must be refused because all incomplete heads together hold too much memory. */
  onHeadsFull(connection: ListenerConnection): void;
  /** Content of a request is late, and others need the place. */
  onLateContent(connection: ListenerConnection): void;
}

type ConnectionLimits = Pick<ServerEventsOptions, "timeouts" | "connectionRequests" | "meter" | "proxyRules">;

/** The connection of a socket, kept there: a look-up in a map would cost each request more, and adopted ones two of them. */
const CONNECTION = Symbol("tsgun.connection");

type ConnectedSocket = Socket & { [CONNECTION]?: ListenerConnection | undefined };

/** Shared: a closure for each connection, which `once` would wrap, is more than the connection's own object. */
function closeConnection(this: ConnectedSocket): void {
  this[CONNECTION]?.onClosed();
}

/** Calls back for each of the servers between which an app passes a socket. */
function whenClosed(socket: ConnectedSocket, before: ListenerConnection | undefined): void {
  if (before !== undefined) {
    socket.off("close", closeConnection);
    socket.once("close", () => before.onClosed());
  }
  socket.on("close", closeConnection);
}

const INTERNAL = Symbol("tsgun.internal");

type MarkedSocket = Socket & { [INTERNAL]?: boolean; readonly _parent?: MarkedSocket };

/** Marks a connection as the server's own, before it is given to the server. */
export function markInternal(socket: Socket): void {
  (socket as MarkedSocket)[INTERNAL] = true;
}

/** Over TLS, requests come on a socket around the one that was accepted. */
function isInternal(socket: Socket): boolean {
  const marked = socket as MarkedSocket;
  return marked[INTERNAL] === true || marked._parent?.[INTERNAL] === true;
}

export class ListenerConnections {
  readonly #connections = new MemberList<ListenerConnection>();
  readonly #timeouts: ServerTimeouts;
  /** How many requests a connection may carry. */
  readonly #maxRequests: number;
  readonly #meter: RequestMeter | undefined;
  readonly #limiter: AcceptLimiter;
  readonly #clock: TickClock;
  readonly #heads: ArrivingHeads;
  readonly #events: ConnectionEvents;
  /** How long idle connections are still served; undefined until the server drains. */
  #lingerMs: number | undefined;
  /** How many of the next responses close their connection, so that its client connects to another worker. */
  shedding = 0;
  #onEmpty: (() => void) | undefined;

  constructor(
    { timeouts, connectionRequests = Number.POSITIVE_INFINITY, meter, proxyRules }: ConnectionLimits,
    limiter: AcceptLimiter,
    clock: TickClock,
    events: ConnectionEvents,
  ) {
    this.#timeouts = timeouts;
    this.#maxRequests = connectionRequests;
    this.#meter = meter;
    this.#limiter = limiter;
    this.#clock = clock;
    this.#events = events;
    this.#heads = new ArrivingHeads(this, (connection) => events.onHeadsFull(connection));
    limiter.addOccupants({
      connections: this,
      now: () => clock.exact,
      standing: (connection, now) => {
        const standing = connection.standing(now);
        // A proxy may just be sending a request, which it does not repeat.
        const isPooled = standing?.wait === "next request" && connection.isOf(proxyRules);
        return isPooled ? undefined : standing;
      },
      giveWay: (connection, wait) => this.#giveWay(connection, wait),
    });
  }

  /** Closes a connection to make room for others. */
  #giveWay(connection: ListenerConnection, wait: Wait): void {
    if (wait === "head") this.#events.onHeadTimeout(connection);
    else if (wait === "content") this.#events.onLateContent(connection);
    else {
      if (wait !== "end") this.#meter?.connectionFailed(wait === "reader" ? "write_timeout" : "evicted");
      connection.socket.destroy();
    }
  }

  get size(): number {
    return this.#connections.size;
  }

  has(socket: Socket): boolean {
    return this.get(socket) !== undefined;
  }

  /** Undefined if it has closed, or is not one of these. Apps emit events with requests that have no socket. */
  get(socket: Socket | null | undefined): ListenerConnection | undefined {
    const connection = (socket as ConnectedSocket | null | undefined)?.[CONNECTION];
    // A request of another server, or with an object made from the socket, is not ours.
    return connection?.owner === this && connection.socket === socket ? connection : undefined;
  }

  [Symbol.iterator](): Iterator<ListenerConnection> {
    return this.#connections[Symbol.iterator]();
  }

  open(socket: Socket, known: KnownEndpoints): void {
    const lingerMs = this.#lingerMs;
    const now = lingerMs === undefined ? this.#clock.now : this.#clock.exact;
    const connection = new ListenerConnection(socket, now, this, known);
    connection.isInternal = isInternal(socket);
    const before = (socket as ConnectedSocket)[CONNECTION];
    (socket as ConnectedSocket)[CONNECTION] = connection;
    this.#connections.add(connection);
    reuseTimer(socket, this.#clock);
    this.#heads.start();
    this.#limiter.connectionOpened(descriptorOf(socket));
    whenClosed(socket, before);
    // Accepted before the drain, and in the front or its handshake until now.
    if (lingerMs !== undefined) this.#closeIdleLater(lingerMs);
  }

  /**
   * Whether a request that has arrived may be passed on. None may behind a refused one, nor behind another whose response ends
   * the connection (RFC 9112 section 9.6): it would run without a response. A response that has not said so does not, though
   * the server drains: the client may have all of it before node reports that it is complete, over TLS a turn later.
   */
  takes(connection: ListenerConnection): boolean {
    if (connection.refused || connection.hasRefused) return false;
    return connection.last?.isLast !== true;
  }

  closed(connection: ListenerConnection): void {
    this.#connections.delete(connection);
    const socket = connection.socket as ConnectedSocket;
    if (socket[CONNECTION] === connection) socket[CONNECTION] = undefined;
    this.#heads.release(connection);
    this.#limiter.connectionClosed();
    this.#events.onClose(connection);
    if (this.size === 0) this.#onEmpty?.();
  }

  states(): ConnectionStates {
    const states = { active: 0, idle: 0, upgraded: 0 };
    for (const { upgraded, inUse } of this) states[upgraded ? "upgraded" : inUse ? "active" : "idle"] += 1;
    return states;
  }

  /** Resolves when no connection is open. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.size === 0) resolve();
    });
  }

  shed(connections: number): void {
    this.shedding = connections;
  }

  /** Whether the response to a request that has just arrived must close its connection. Counts down `shed`. */
  closesNext(connection: ListenerConnection): boolean {
    if (this.#lingerMs !== undefined || this.#timeouts.keepAlive === 0 || this.#limiter.full) return true;
    if (connection.requests >= this.#maxRequests) return true;
    if (this.shedding === 0) return false;
    this.shedding -= 1;
    return true;
  }

  /** An exchange has been removed from its connection. */
  exchangeEnded(connection: ListenerConnection, exchange: ListenerExchange): void {
    if (this.#lingerMs === undefined) {
      connection.ended(exchange, this.#clock.now);
      return;
    }
    connection.ended(exchange, this.#clock.exact);
    // The head may have been sent before the drain began, so the client may still reuse the connection.
    this.#closeIdleLater(this.#lingerMs);
  }

  /** From now on closes connections once they have been idle for `lingerMs`. */
  drain(lingerMs: number): void {
    this.#lingerMs = lingerMs;
    const now = this.#clock.exact;
    for (const connection of this) connection.startLinger(now);
    this.#closeIdleLater(lingerMs);
  }

  /** Waits for the input of that turn as well: a process that is late itself must not close on a request sent in time. */
  #closeIdleLater(lingerMs: number): void {
    // Unreferenced: with no connection left, nothing of ours keeps the process from ending.
    setTimeout(() => setImmediate(() => this.#closeIdle(lingerMs)), lingerMs).unref();
  }

  #closeIdle(lingerMs: number): void {
    // A timer may fire a fraction of a millisecond early.
    const now = this.#clock.exact + 1;
    for (const connection of this) {
      const idle = connection.idleFor(now);
      if (idle !== undefined && idle >= lingerMs) connection.socket.destroy();
    }
  }

  /** Closes the connections whose client has exceeded a timeout. Call on each tick. */
  checkOverdue(now: number): void {
    for (const connection of this) {
      const overdue = connection.overdue(now, this.#timeouts);
      if (overdue === "head") this.#events.onHeadTimeout(connection);
      else if (overdue !== undefined) {
        if (overdue === "response" && !connection.refused) this.#meter?.connectionFailed("write_timeout");
        connection.socket.destroy();
      }
    }
    // A timer of `#closeIdleLater` may have fired too early: time in which the loop was blocked does not count.
    if (this.#lingerMs !== undefined) this.#closeIdle(this.#lingerMs);
  }

  /**
   * Restarts the socket's keep-alive timer if it fired early, which it does after a handler that blocked the loop: node
   * counts that time. Returns whether the connection stays open.
   */
  extendKeepAlive(connection: ListenerConnection): boolean {
    const idle = connection.idleFor(this.#clock.exact);
    const left = idle === undefined ? 0 : this.#timeouts.keepAlive - idle;
    if (left <= 0 || !Number.isFinite(left)) return false;
    connection.socket.setTimeout(left);
    return true;
  }

  /** Does what `closeIdleConnections()` of a server does. Its listener can reach the server by a request's socket. */
  closeIdle(server: object): void {
    for (const connection of this) {
      // A client without a request yet is about to send one: node spares it as well (Node 20 to 24).
      const hasServed = connection.requests > 0 && !connection.inUse && connection.unread === undefined;
      const isIdle = hasServed && !connection.hasInput;
      if (isIdle && isOf(connection, server)) connection.socket.destroy();
    }
  }

  /** The same for `closeAllConnections()`, which spares those that have changed protocols. */
  closeAll(server: object): void {
    for (const connection of this)
      if (!connection.upgraded && isOf(connection, server)) connection.socket.destroy();
  }

  destroy(): void {
    for (const { socket } of this.#connections) socket.destroy();
  }
}

function isOf({ socket }: ListenerConnection, server: object): boolean {
  return (socket as Socket & { server?: object }).server === server;
}
