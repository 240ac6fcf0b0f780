/** Limits the connections and streams of a small server, so that idle and slow clients cannot lock others out. */
import type { Socket } from "node:net";

/** Maximum connections of a server. One more replaces the connection that has been idle longest. */
export const MAX_CONNECTIONS = 64;

/** The connection that has been idle longest is closed to make room; one whose response is pending never is. */
export class ConnectionLimiter {
  /** Most recently active last. */
  readonly #open = new Set<Socket>();
  /** Connections whose response is pending, streams among them. */
  readonly #responding = new Set<Socket>();

  onConnect(socket: Socket): void {
    socket.once("close", () => this.#remove(socket));
    this.#open.add(socket);
    if (this.#open.size <= MAX_CONNECTIONS) return;
    // If all others are waiting for an outcome, this closes the new connection itself.
    for (const other of this.#open) {
      if (this.#responding.has(other)) continue;
      other.destroy();
      this.#remove(other);
      return;
    }
  }

  /** A whole request has arrived. */
  onRequest(socket: Socket): void {
    if (!this.#open.delete(socket)) return;
    this.#open.add(socket);
    this.#responding.add(socket);
  }

  onResponse(socket: Socket): void {
    this.#responding.delete(socket);
  }

  #remove(socket: Socket): void {
    this.#open.delete(socket);
    this.#responding.delete(socket);
  }
}
