/**
 * The contract between a server that accepts connections and the one that serves those which speak another protocol behind
 * the front. It counts for the accepting server, which stays the only one that a worker knows.
 */
import type { Socket } from "node:net";
import type { DressAnswer } from "../exchange/server-answer.ts";
import type { Handler } from "../gateway/types.ts";
import type { ConnectionContext } from "./connection-context.ts";
import type { EngineExchangeWatch } from "./engine/engine-exchange-watch.ts";
import type { Occupants } from "./places/place-keeper.ts";
import type { RunningHandlers } from "./running-handlers.ts";
import type { ConnectionStates, InFlightRequest } from "./server.ts";
import type { EngineOptions } from "./server-options.ts";
import type { TickClock } from "./tick-clock.ts";

/** The accepting server. */
export interface SessionHost {
  readonly options: Pick<EngineOptions, "limits" | "timeouts" | "connectionRequests" | "meter">;
  readonly clock: TickClock;
  readonly draining: boolean;
  /** No connection is accepted until another is closed. */
  readonly full: boolean;
  readonly handlers: RunningHandlers;
  /** The number of kept connections still to be closed. */
  shedding: number;
  /** A response has been sent. */
  onResponse(): void;
  /** Adds connections that may be closed to make room. */
  addOccupants<Connection>(occupants: Occupants<Connection>): void;
  onOpened(socket: Socket): void;
  onClosed(): void;
}

/** The accepting server of gateway and fetch apps. */
export interface GatewaySessionHost extends SessionHost {
  readonly options: EngineOptions;
  readonly handle: Handler;
  readonly upgrade: Handler | undefined;
  /** Has the app dress the server's own responses; undefined if it does not. */
  readonly dress: DressAnswer | undefined;
  watchExchanges(context: ConnectionContext): EngineExchangeWatch | undefined;
}

/** @typeParam Context what all requests of a connection share */
export interface SessionServer<Context> {
  /** Open connections. */
  readonly size: number;
  states(): ConnectionStates;
  /** Serves a connection from its first byte of the protocol on. */
  admit(socket: Socket, context: Context): void;
  inFlight(): InFlightRequest[];
  logUnfinished(): void;
  /** Asks the clients to finish, and closes what is idle after `lingerMs`. */
  drain(lingerMs: number): void;
  /** @param passed time that has passed for certain, in the clock's time */
  checkDeadlines(passed: number): void;
  destroy(): void;
}

export type MakeSessionServer = (host: GatewaySessionHost) => SessionServer<ConnectionContext>;

export interface GatewayOptions extends EngineOptions {
  /** Serves connections of HTTP/2, which only a front tells from others; undefined: they are not spoken. */
  readonly http2?: MakeSessionServer | undefined;
}
