/**
 * One connection of a Node server and its exchanges. Node emits pipelined requests at once; here each waits for the
 * response before it, which may turn out to be the last on the connection.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { ConnectionEndpoints, knownBySocket } from "../exchange/endpoint.ts";
import type { HostedConnection } from "./hosted-app.ts";

/** The connection's view of its current exchange. */
export interface ConnectedExchange {
  /** Resolves when the response is complete or has failed. */
  readonly settled: Promise<unknown>;
  /** The client has closed its sending side. */
  halfClosed(): void;
  /** The connection has closed. */
  closed(): void;
}

export class NodeConnection extends ConnectionEndpoints implements HostedConnection {
  #current: ConnectedExchange | undefined;
  #waiting: (() => ConnectedExchange)[] = [];
  #closing = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super(socket, knownBySocket(isUnix(socket)));
    this.#socket = socket;
    socket.on("end", () => this.#current?.halfClosed());
    socket.on("close", () => {
      this.closeAfterCurrent();
      this.#current?.closed();
    });
  }

  /** Drops all requests after the current exchange. */
  closeAfterCurrent(): void {
    this.#closing = true;
    this.#waiting = [];
  }

  /** Runs an exchange once the one before it has ended, in the async scope of this call. */
  enqueue(begin: () => ConnectedExchange): void {
    if (this.#closing) return;
    if (this.#current === undefined) this.#begin(begin);
    else this.#waiting.push(AsyncResource.bind(begin));
  }

  #begin(begin: () => ConnectedExchange): void {
    const exchange = begin();
    this.#current = exchange;
    const next = (): void => {
      this.#current = undefined;
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) this.#begin(waiting);
    };
    exchange.settled.then(next, next);
  }

  get scheme(): "http" | "https" {
    return "encrypted" in this.#socket && this.#socket.encrypted === true ? "https" : "http";
  }
}

/** Whether this is a Unix socket. A closed socket no longer shows it and counts as TCP. */
function isUnix(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { getpeername?: unknown } | null };
  return handle !== undefined && handle !== null && handle.getpeername === undefined;
}
