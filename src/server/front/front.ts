/**
 * The front of a worker's connections: what each goes through before its first byte of HTTP. Its stages are the PROXY
 * header, TLS and the choice of the protocol, in this order. A worker that needs none of them has no front, and its
 * connections pay nothing for it.
 *
 * A connection in the front counts like any other, may take as long as a request head, and is destroyed if a stage
 * refuses it.
 */
import type { Socket } from "node:net";
import type { AcceptLimiter } from "../accept-limiter.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import { type ConnectionFacts, rememberFacts } from "./facts.ts";
import { ClientLeft, FrontTimeout } from "./refusal.ts";

/**
 * Resolves with the socket of the next stage: the same one, or one around it. It must be paused then, with what has been
 * read beyond the stage put back. Rejects with a `Refusal` to refuse the connection, to which it may have written an answer,
 * and with `ClientLeft` if there is nobody to refuse.
 */
export type Stage = (socket: Socket, facts: ConnectionFacts) => Promise<Socket>;

export interface FrontOptions {
  readonly stages: readonly Stage[];
  /** For all stages together, in milliseconds; `Infinity` for no limit. */
  readonly timeout: number;
  /** Reports a connection that a stage has refused, or that took too long. Not called for clients that just left. */
  readonly onRefused: (error: Error, facts: ConnectionFacts) => void;
  /** Called for a connection that was closed to make room for others. */
  readonly onEvicted?: () => void;
}

/** Serves a connection from its first byte of HTTP on. */
export type PassOn = (socket: Socket, facts: ConnectionFacts) => void;

export class Front {
  readonly #options: FrontOptions;
  readonly #limiter: AcceptLimiter;
  /** Each with the time at which it came. */
  readonly #sockets = new Map<Socket, number>();
  /** How long connections may still be in the front; undefined until the server drains. */
  #lingerMs: number | undefined;
  #onEmpty: (() => void)[] = [];

  constructor(options: FrontOptions, limiter: AcceptLimiter) {
    this.#options = options;
    this.#limiter = limiter;
    limiter.addOccupants({
      connections: this.#sockets,
      now: () => performance.now(),
      standing: ([, since], now) => ({ wait: "front", late: now - since }),
      giveWay: ([socket]) => this.#giveWay(socket),
    });
  }

  #giveWay(socket: Socket): void {
    this.#options.onEvicted?.();
    socket.destroy();
  }

  /** Connections that have not been passed on yet. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Takes an accepted connection through the stages. @param isUnix whether it came by a Unix socket */
  admit(socket: Socket, isUnix: boolean, passOn: PassOn): void {
    this.#sockets.set(socket, performance.now());
    this.#limiter.connectionOpened(descriptorOf(socket));
    const leave = (): void => {
      if (!this.#sockets.delete(socket)) return;
      this.#limiter.connectionClosed();
      this.#checkEmpty();
    };
    // A client's reset is no more than its end.
    socket.on("error", () => {});
    socket.once("close", leave);
    this.#run(socket, isUnix, (last, facts) => {
      socket.off("close", leave);
      this.#sockets.delete(socket);
      this.#limiter.handOver(() => passOn(last, facts));
      this.#checkEmpty();
    });
    if (this.#lingerMs !== undefined) this.#closeLater([socket], this.#lingerMs);
  }

  #run(socket: Socket, isUnix: boolean, passOn: PassOn): void {
    const { stages, timeout, onRefused } = this.#options;
    const facts: ConnectionFacts = { isUnix };
    let refused = false;
    const refuse = (error: Error): void => {
      const hasLeft = error instanceof ClientLeft;
      socket.destroySoon();
      if (hasLeft || refused) return;
      refused = true;
      onRefused(error, facts);
    };
    // Input that has arrived while the loop was blocked is handled before the verdict.
    const timer = Number.isFinite(timeout)
      ? setTimeout(() => setImmediate(() => isUnderWay && refuse(new FrontTimeout(timeout))), timeout)
      : undefined;
    let isUnderWay = true;
    passStages(socket, facts, stages)
      .then((last) => {
        isUnderWay = false;
        if (refused || socket.destroyed || last.destroyed) return;
        rememberFacts(last, facts);
        passOn(last, facts);
      })
      .catch(refuse)
      .finally(() => {
        isUnderWay = false;
        clearTimeout(timer);
      });
  }

  #checkEmpty(): void {
    if (this.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /**
   * Closes the connections on which nothing has arrived within `lingerMs`, as idle ones are closed. The others are in the
   * middle of a stage, and may have a request for us. Resolves when none is left. Call when no more are accepted.
   */
  drain(lingerMs: number): Promise<void> {
    this.#lingerMs = lingerMs;
    if (this.size === 0) return Promise.resolve();
    this.#closeLater([...this.#sockets.keys()], lingerMs);
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  #closeLater(sockets: readonly Socket[], lingerMs: number): void {
    const close = (): void => {
      for (const socket of sockets) if (this.#sockets.has(socket) && socket.bytesRead === 0) socket.destroy();
    };
    // Waits for the input of that turn as well: the client may be done just in time.
    setTimeout(() => setImmediate(close), lingerMs).unref();
  }

  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}

async function passStages(
  accepted: Socket,
  facts: ConnectionFacts,
  stages: readonly Stage[],
): Promise<Socket> {
  let socket = accepted;
  for (const stage of stages) socket = await stage(socket, facts);
  return socket;
}
