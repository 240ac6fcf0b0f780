/**
 * A connection whose protocol is the app's own: what has moved on it, its requests where they are known (HTTP/2), and what it
 * waits for when the worker's places run out.
 *
 * Where the protocol is unknown, silence may be part of it. So such a connection only gives way while nothing has ever moved on
 * it, or if its client does not take what waits for it.
 */
import type { Socket } from "node:net";
import { acceptedBytes } from "./accepted-bytes.ts";
import { ContentPace, type Lateness, ON_TIME } from "./content-pace.ts";
import type { Standing } from "./places/policy.ts";
import type { ServerTimeouts } from "./server-options.ts";

/** The event that a request in flight waits for; undefined: the app. */
export type ClientTurn = "content" | "reader" | undefined;

export type StreamTimeouts = Pick<ServerTimeouts, "body" | "responseMinRate">;

export interface StreamConnectionOptions {
  /** Whether its requests are known. */
  readonly isHttp2: boolean;
  /** Whether it begins with a handshake of the app's server. */
  readonly isTls: boolean;
  readonly timeouts: StreamTimeouts;
}

export class StreamConnection {
  /** As it was accepted. */
  readonly socket: Socket;
  /** How each request in flight asks whose turn it is. Empty where the protocol is unknown. */
  readonly #requests = new Set<() => ClientTurn>();
  readonly #options: StreamConnectionOptions;
  /** The socket of TLS around the one that was accepted, once its handshake is over. */
  #secure: Socket | undefined;
  #bytesAtStart: number;
  #hasServed = false;
  /** Since when it has been idle, or in its handshake, as in `performance.now()`. */
  #since = performance.now();
  #movedBytes = 0;
  #movedAt = 0;
  /** The client's pace, if it was the client's turn at the first look; undefined if it was the app's. */
  #pace: ContentPace | undefined;
  #pacedBytes = 0;

  constructor(socket: Socket, options: StreamConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    // Behind a PROXY header, what has come with it is unread.
    this.#bytesAtStart = socket.bytesRead - socket.readableLength;
  }

  get requests(): number {
    return this.#requests.size;
  }

  /** The handshake of the app's server is over. */
  secured(socket: Socket): void {
    this.#secure = socket;
    this.#since = performance.now();
    this.#bytesAtStart = this.socket.bytesRead;
  }

  /** A request has arrived. Returns how to tell that it is over. */
  began(turn: () => ClientTurn): () => void {
    this.#requests.add(turn);
    this.#hasServed = true;
    return () => {
      this.#requests.delete(turn);
      this.#since = performance.now();
      this.#pace = undefined;
    };
  }

  /** The server drains: quiet time counts from now on. */
  startLinger(now: number): void {
    this.#movedAt = now;
  }

  /** Whether nothing has moved for `lingerMs`, as far as it has been looked at, and no request is in flight. */
  isQuiet(now: number, lingerMs: number): boolean {
    const bytes = this.socket.bytesRead + this.socket.bytesWritten;
    if (bytes !== this.#movedBytes || this.requests > 0) {
      this.#movedBytes = bytes;
      this.#movedAt = now;
      return false;
    }
    return now - this.#movedAt >= lingerMs;
  }

  standing(now: number): Standing | undefined {
    const { isTls, isHttp2 } = this.#options;
    if (isTls && this.#secure === undefined) return { wait: "front", late: now - this.#since };
    const turn = isHttp2 ? this.#turn() : this.#ownTurn();
    if (turn === "content" || turn === "reader") return { wait: turn, ...this.#lateness(now) };
    this.#pace = undefined;
    return turn === undefined ? undefined : { wait: turn, late: now - this.#since };
  }

  #turn(): ClientTurn | "first byte" | "next request" {
    if (this.#requests.size === 0) return this.#hasServed ? "next request" : "first byte";
    let turn: ClientTurn;
    for (const ask of this.#requests) {
      turn = ask();
      if (turn === undefined) return undefined;
    }
    return turn;
  }

  /** For a protocol that is unknown. */
  #ownTurn(): ClientTurn | "next request" {
    const socket = this.#secure ?? this.socket;
    if (socket.writableLength > 0) return "reader";
    const hasMoved = this.socket.bytesRead > this.#bytesAtStart || socket.bytesWritten > 0;
    return hasMoved ? undefined : "next request";
  }

  /** Whatever moves counts: streams share the connection. */
  #lateness(now: number): Lateness {
    const bytes = this.socket.bytesRead + acceptedBytes(this.#secure ?? this.socket);
    if (this.#pace === undefined) {
      const { body, responseMinRate: bodyMinRate } = this.#options.timeouts;
      this.#pace = new ContentPace({ body, bodyTotal: Number.POSITIVE_INFINITY, bodyMinRate });
      this.#pace.resume(now);
      this.#pacedBytes = bytes;
      return ON_TIME;
    }
    if (bytes !== this.#pacedBytes) this.#pace.received(bytes - this.#pacedBytes, now);
    this.#pacedBytes = bytes;
    return this.#pace.lateness(now);
  }
}
