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

/**
 * Resolves with the socket of the next stage: the same one, or one around it. It must be paused then, with what has been
 * read beyond the stage put back. Rejects to refuse the connection; a stage that has answered it may end it before.
 */
export type Stage = (socket: Socket, facts: ConnectionFacts) => Promise<Socket>;

export interface FrontOptions {
  readonly stages: readonly Stage[];
  /** For all stages together, in milliseconds; `Infinity` for no limit. */
  readonly timeout: number;
  /** Reports a connection that a stage has refused, or that took too long. Not called for clients that just left. */
  readonly onRefused: (error: Error, facts: ConnectionFacts) => void;
}

/** Serves a connection from its first byte of HTTP on. */
export type PassOn = (socket: Socket, facts: ConnectionFacts) => void;

export class FrontTimeout extends Error {
  constructor(milliseconds: number) {
    super(`the client sent no complete PROXY header or TLS handshake within ${milliseconds / 1000} s`);
    this.name = "FrontTimeout";
  }
}

export class Front {
  readonly #options: FrontOptions;
  readonly #limiter: AcceptLimiter;
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void)[] = [];

  constructor(options: FrontOptions, limiter: AcceptLimiter) {
    this.#options = options;
    this.#limiter = limiter;
  }

  /** Connections that have not been passed on yet. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Takes an accepted connection through the stages. @param isUnix whether it came by a Unix socket */
  admit(socket: Socket, isUnix: boolean, passOn: PassOn): void {
    this.#sockets.add(socket);
    this.#limiter.connectionOpened(descriptorOf(socket));
    const leave = (): void => this.#leave(socket);
    // A client's reset is no more than its end.
    socket.on("error", () => {});
    socket.once("close", leave);
    this.#run(socket, isUnix, (last, facts) => {
      socket.off("close", leave);
      // The server counts it from now on.
      leave();
      passOn(last, facts);
    });
  }

  #run(socket: Socket, isUnix: boolean, passOn: PassOn): void {
    const { stages, timeout, onRefused } = this.#options;
    const facts: ConnectionFacts = { isUnix };
    let refused = false;
    const refuse = (error: Error): void => {
      const hasLeft = socket.destroyed;
      socket.destroy();
      if (hasLeft || refused) return;
      refused = true;
      onRefused(error, facts);
    };
    const timer = Number.isFinite(timeout)
      ? setTimeout(() => refuse(new FrontTimeout(timeout)), timeout)
      : undefined;
    passStages(socket, facts, stages)
      .then((last) => {
        if (socket.destroyed || last.destroyed) return;
        rememberFacts(last, facts);
        passOn(last, facts);
      })
      .catch(refuse)
      .finally(() => clearTimeout(timer));
  }

  #leave(socket: Socket): void {
    if (!this.#sockets.delete(socket)) return;
    this.#limiter.connectionClosed();
    if (this.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no connection is in the front. Call when no more are accepted. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.size === 0) resolve();
      else this.#onEmpty.push(resolve);
    });
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
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
