/**
 * One connection of node's own server, as far as node does not see to it: the clocks that node counts from before a
 * blocked loop, or does not have. They are looked at on each tick. All times are those of the server's clock.
 */
import type { Socket } from "node:net";
import { Linger } from "../linger.ts";
import type { WatchedPeer } from "../peer-watch.ts";
import type { ServerTimeouts } from "../server-options.ts";
import type { ListenerExchange } from "./listener-exchange.ts";
import type { ParserError } from "./parser-error.ts";
import { WriteProgress } from "./write-progress.ts";

/** What a client has not done in time. */
export type Overdue = "head" | "content" | "answer" | "next request";

/** What node's parser stumbled over. */
export interface ConnectionFailure {
  readonly error: ParserError;
  /** Whether nothing else can be in the bytes that came last: an earlier request's content is nobody's to read. */
  readonly alone: boolean;
}

/** A connection that is kept for its client to read why it was refused. */
interface Refusal {
  /** What had been received when the client was last heard. */
  bytes: number;
  readonly linger: Linger;
}

export class ListenerConnection implements WatchedPeer {
  readonly socket: Socket;
  /** Under way. */
  exchanges = 0;
  /** To be refused behind the answers that are still due. */
  failure: ConnectionFailure | undefined;
  /** The latest request, where it was answered before all of its content had come. */
  unread: ListenerExchange | undefined;
  readonly #progress: WriteProgress;
  #idleSince: number;
  #bytesWhenIdle = 0;
  /** When the head that is arriving was first seen. */
  #headSince: number | undefined;
  #refusal: Refusal | undefined;
  /** How much had been sent when the app was given it for itself. */
  #upgradedAt: number | undefined;

  constructor(socket: Socket, now: number) {
    this.socket = socket;
    this.#progress = new WriteProgress(socket, now);
    this.#idleSince = now;
  }

  /** Something other than the content of an answered request has come since the last answer. */
  get asked(): boolean {
    return this.exchanges === 0 && this.socket.bytesRead > this.#bytesWhenIdle;
  }

  /** Bytes of a head that is not whole. */
  get headBytes(): number {
    const arriving = this.exchanges === 0 && this.unread === undefined && !this.upgraded && !this.refused;
    return arriving ? this.socket.bytesRead - this.#bytesWhenIdle : 0;
  }

  /** A request has come. */
  begin(): void {
    this.exchanges += 1;
    this.#headSince = undefined;
  }

  /** The app has it for itself: what goes on on it is the app's affair. */
  upgrade(): void {
    this.#upgradedAt = this.socket.bytesWritten;
  }

  get upgraded(): boolean {
    return this.#upgradedAt !== undefined;
  }

  /** The app has sent something on it since it was given it: it has agreed to change protocols, or has answered. */
  get upgradeAnswered(): boolean {
    return this.#upgradedAt !== undefined && this.socket.bytesWritten > this.#upgradedAt;
  }

  get isReadPaused(): boolean {
    return this.exchanges > 0 && (this.socket.isPaused() || this.socket.readableEnded);
  }

  get hasUnreadInput(): boolean {
    return this.upgraded && (this.socket.readableLength > 0 || this.socket.writableEnded);
  }

  /** A request has been answered. */
  end(exchange: ListenerExchange, now: number): void {
    this.exchanges -= 1;
    this.unread = exchange.request.complete ? undefined : exchange;
    this.#rest(now);
  }

  #rest(now: number): void {
    this.#idleSince = now;
    this.#bytesWhenIdle = this.socket.bytesRead;
  }

  /** While the server drains, its linger begins with the draining. */
  startLinger(now: number): void {
    this.#idleSince = now;
  }

  /** How long it has been idle for certain; undefined where it is not. */
  idleFor(now: number): number | undefined {
    return this.exchanges === 0 && this.unread === undefined && !this.asked
      ? now - this.#idleSince
      : undefined;
  }

  /** True once it is only kept for its client to read the refusal. */
  get refused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Ends it behind what has been written. The client, which may still be sending, is listened to for a while, so that
   * no reset overtakes the answer (RFC 9112 section 9.6).
   *
   * @param tell tells the listener why, which is possible only once the connection is closed
   */
  refuse(now: number, tell?: () => void): void {
    if (this.refused) return;
    this.#refusal = { bytes: this.socket.bytesRead, linger: new Linger(now) };
    // Before node, which knows no reason.
    if (tell !== undefined) this.socket.prependOnceListener("close", tell);
    this.socket.end();
    this.socket.resume();
  }

  /** What the client has not done in time, to be asked for on each tick; undefined if nothing. */
  overdue(now: number, timeouts: ServerTimeouts): Overdue | undefined {
    if (this.upgraded) return undefined;
    if (this.#refusal !== undefined) return this.#lingered(now, this.#refusal) ? "answer" : undefined;
    // Longer, if the app gave the connection more time itself.
    const time = Math.max(timeouts.body, this.socket.timeout ?? 0);
    if (this.#progress.stoodStill(now) >= time) return "answer";
    if (this.exchanges > 0) return undefined;
    if (this.unread !== undefined) return this.#contentOverdue(now);
    return this.asked ? this.#headOverdue(now, timeouts) : this.#neverAsked(now, timeouts);
  }

  #lingered(now: number, refusal: Refusal): boolean {
    const { bytesRead } = this.socket;
    if (bytesRead !== refusal.bytes) {
      refusal.bytes = bytesRead;
      refusal.linger.received(now);
    }
    return now >= refusal.linger.deadline;
  }

  #contentOverdue(now: number): Overdue | undefined {
    const unread = this.unread as ListenerExchange;
    if (unread.request.complete) {
      this.unread = undefined;
      this.#rest(now);
      return undefined;
    }
    return unread.contentOverdue(now) ? "content" : undefined;
  }

  #headOverdue(now: number, { header }: ServerTimeouts): Overdue | undefined {
    this.#headSince ??= now;
    return now - this.#headSince >= header ? "head" : undefined;
  }

  /** Node has a clock for the connections that it keeps, and none for those that never ask. */
  #neverAsked(now: number, { keepAlive, header }: ServerTimeouts): Overdue | undefined {
    if (this.socket.bytesRead > 0) return undefined;
    return now - this.#idleSince >= (keepAlive || header) ? "next request" : undefined;
  }
}
