/**
 * One connection of a node server, and what is going on on it. Node hands over pipelined requests at once;
 * here each waits for the answer to the one ahead, which may turn out to be the last on the connection.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { ConnectionEnds } from "../exchange/endpoint.ts";
import type { Connection } from "./hosted-app.ts";

/** What a connection needs of the exchange under way. */
export interface ConnectedExchange {
  /** Resolves when the answer is complete, or will never be. */
  readonly settled: Promise<void>;
  /** The client has closed its sending side. */
  halfClosed(): void;
  /** The connection has closed. */
  gone(): void;
}

export class NodeConnection extends ConnectionEnds implements Connection {
  #current: ConnectedExchange | undefined;
  #waiting: (() => ConnectedExchange)[] = [];
  #closing = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super(socket, isUnix(socket));
    this.#socket = socket;
    socket.on("end", () => this.#current?.halfClosed());
    socket.on("close", () => {
      this.last();
      this.#current?.gone();
    });
  }

  /** Nothing behind the current exchange is run any more. */
  last(): void {
    this.#closing = true;
    this.#waiting = [];
  }

  /** Runs an exchange as soon as the one ahead is answered, in the async scope in which it came. */
  enqueue(begin: () => ConnectedExchange): void {
    if (this.#closing) return;
    if (this.#current === undefined) this.#begin(begin);
    else this.#waiting.push(AsyncResource.bind(begin));
  }

  #begin(begin: () => ConnectedExchange): void {
    const exchange = begin();
    this.#current = exchange;
    void exchange.settled.then(() => {
      this.#current = undefined;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#begin(next);
    });
  }

  get scheme(): "http" | "https" {
    return "encrypted" in this.#socket && this.#socket.encrypted === true ? "https" : "http";
  }
}

/** Whether a socket came by a Unix socket. One that is closed already could be of either kind, and counts as no such. */
function isUnix(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { getpeername?: unknown } | null };
  return handle !== undefined && handle !== null && handle.getpeername === undefined;
}
