/**
 * Bounds the memory of incomplete heads. Node's parser reports a head only when it is complete, so the bytes that each
 * connection has received are compared at an interval, if the process has had any input in it.
 */
import { UnfinishedHeads } from "../unfinished-heads.ts";
import type { ListenerConnection } from "./listener-connection.ts";

const CHECK_INTERVAL_MS = 100;

/** All open connections. */
interface OpenConnections extends Iterable<ListenerConnection> {
  readonly size: number;
}

export class ArrivingHeads {
  readonly #connections: OpenConnections;
  readonly #heads: UnfinishedHeads<ListenerConnection>;
  #timer: NodeJS.Timeout | undefined;
  #seenInputEvents: number | undefined;

  /** @param refuse called with a connection whose head must give up its memory */
  constructor(connections: OpenConnections, refuse: (connection: ListenerConnection) => void) {
    this.#connections = connections;
    this.#heads = new UnfinishedHeads(refuse);
  }

  /** Call when a connection has opened. */
  start(): void {
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }

  /** Call when a connection has closed. */
  release(connection: ListenerConnection): void {
    this.#heads.release(connection);
  }

  #check(): void {
    if (this.#connections.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const events = inputEvents();
    const unchanged = events !== undefined && events === this.#seenInputEvents;
    this.#seenInputEvents = events;
    if (unchanged && this.#heads.heldBytes === 0) return;
    for (const connection of this.#connections) {
      const bytes = connection.headBytes;
      if (bytes > 0) this.#heads.hold(connection, bytes);
      else if (this.#heads.heldBytes > 0) this.#heads.release(connection);
    }
  }
}

/** The number of I/O events that the loop has processed, timers not included; undefined before Node 20.18. */
function inputEvents(): number | undefined {
  const { uvMetricsInfo } = performance.nodeTiming as { uvMetricsInfo?: { events: number } };
  return uvMetricsInfo?.events;
}
