/**
 * Connections of the app's own TLS server whose handshake is not over. Requests come on another socket, so the server would
 * know nothing of them until then; but they have descriptors and places like others, and give way like others.
 */
import type { Socket } from "node:net";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import type { RequestMeter } from "../request-meter.ts";

interface Handshake {
  /** As in `performance.now()`. */
  readonly since: number;
  readonly leave: () => void;
}

export class Handshakes {
  readonly #limiter: AcceptLimiter;
  readonly #sockets = new Map<Socket, Handshake>();
  #onEmpty: (() => void) | undefined;

  constructor(limiter: AcceptLimiter, meter: RequestMeter | undefined) {
    this.#limiter = limiter;
    limiter.addOccupants<[Socket, Handshake]>({
      connections: this.#sockets,
      now: () => performance.now(),
      standing: ([, { since }], now) => ({ wait: "front", late: now - since }),
      giveWay: ([socket]) => {
        meter?.connectionFailed("evicted");
        socket.destroy();
      },
    });
  }

  get size(): number {
    return this.#sockets.size;
  }

  began(socket: Socket): void {
    const leave = (): void => {
      this.#sockets.delete(socket);
      this.#limiter.connectionClosed();
      this.#checkEmpty();
    };
    this.#sockets.set(socket, { since: performance.now(), leave });
    this.#limiter.connectionOpened(descriptorOf(socket));
    socket.once("close", leave);
  }

  /** The handshake is over. @param open opens the connection of `secure`, and counts it */
  finished(secure: Socket & { readonly _parent?: Socket }, open: () => void): void {
    const { _parent: socket } = secure;
    const handshake = socket && this.#sockets.get(socket);
    if (socket === undefined || handshake === undefined) {
      open();
      return;
    }
    socket.off("close", handshake.leave);
    this.#sockets.delete(socket);
    this.#limiter.handOver(open);
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.size === 0) this.#onEmpty?.();
  }

  /**
   * Closes those on which nothing has arrived within `lingerMs`, and the others after `timeout`. Resolves when none is left.
   * Call when no more are accepted.
   */
  async drain(lingerMs: number, timeout: number): Promise<void> {
    if (this.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    // Waits for the input of that turn as well: the client may be done just in time.
    const later = (milliseconds: number, close: () => void): NodeJS.Timeout =>
      setTimeout(() => setImmediate(close), milliseconds).unref();
    const timers = [later(lingerMs, () => this.#close((socket) => socket.bytesRead === 0))];
    if (Number.isFinite(timeout)) timers.push(later(Math.max(lingerMs, timeout), () => this.destroy()));
    await empty;
    for (const timer of timers) clearTimeout(timer);
  }

  #close(which: (socket: Socket) => boolean): void {
    for (const socket of this.#sockets.keys()) if (which(socket)) socket.destroy();
  }

  destroy(): void {
    this.#close(() => true);
  }
}
