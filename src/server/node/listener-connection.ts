/**
 * One connection of node's server, with the timeouts that node lacks or measures wrongly: node's own timers also count
 * time in which the loop was blocked. They are checked on each tick. All times are those of the server's clock.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ConnectionEndpoints, type KnownEndpoints } from "../../exchange/endpoint.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { ON_TIME } from "../content-pace.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import { Linger } from "../linger.ts";
import type { Member } from "../member-list.ts";
import type { WatchedPeer } from "../peer-watch.ts";
import { headLateness } from "../places/head-lateness.ts";
import type { Standing } from "../places/policy.ts";
import type { ServerTimeouts } from "../server-options.ts";
import type { ListenerExchange } from "./listener-exchange.ts";
import type { ParserError } from "./parser-error.ts";
import { WriteProgress } from "./write-progress.ts";

/** The part of an exchange that the client did not send, or read, in time. */
export type Overdue = "head" | "content" | "response" | "next request";

/** An error of node's parser or of the connection. */
export interface ConnectionFailure {
  readonly error: ParserError;
  /** Whether the error's bytes hold nothing but the failed request. Content of an earlier request must not be logged. */
  readonly alone: boolean;
  /** The app's listener, which answers instead of the server. */
  readonly listener: ClientErrorListener | undefined;
}

/** A listener of `clientError`. */
export type ClientErrorListener = (error: ParserError, socket: Socket) => unknown;

/** A connection that stays open only until its client has read why it was refused. */
interface Refusal {
  /** Bytes received at the last check. */
  bytes: number;
  readonly linger: Linger;
}

export interface ConnectionOwner {
  closed(connection: ListenerConnection): void;
}

export class ListenerConnection implements WatchedPeer, Member {
  place = -1;
  readonly socket: Socket;
  /** The server's connections, of which this is one. */
  readonly owner: ConnectionOwner;
  /** Whether it is a Unix socket. A closed socket no longer shows it. */
  readonly known: KnownEndpoints;
  /** Whether its peer is a trusted proxy; undefined until that matters. */
  #isTrusted: boolean | undefined;
  /** It is the server's own (a warm-up, an injected request): nothing bounds its requests. */
  isInternal = false;
  /** How many requests have arrived. */
  requests = 0;
  /** Whether a request has been refused. What comes behind it is not read as requests: its framing is not trusted. */
  hasRefused = false;
  /** Hands the connection over to another protocol, which the last request asks for, once all requests before it have been answered. */
  afterwards: (() => void) | undefined;
  /** Refused once the requests before it have been answered. */
  failure: ConnectionFailure | undefined;
  /** The latest exchange, if its response was complete before its content had arrived. */
  unread: ListenerExchange | undefined;
  /**
   * The exchanges without a complete response, in the order of their requests, each linked to the next. Nearly always
   * there is at most one, and a list of its own would cost each request more than the links.
   */
  #first: ListenerExchange | undefined;
  /** Undefined until a tick has seen a response that waits to be sent. */
  #progress: WriteProgress | undefined;
  #idleSince: number;
  readonly #bytesAtOpen: number;
  #bytesWhenIdle: number;
  /** When the first tick saw an incomplete head. */
  #headSince: number | undefined;
  #refusal: Refusal | undefined;
  /** Bytes sent before the app was given the connection. */
  #bytesBeforeUpgrade: number | undefined;

  get descriptor(): number {
    return descriptorOf(this.socket);
  }

  constructor(socket: Socket, now: number, owner: ConnectionOwner, known: KnownEndpoints) {
    this.socket = socket;
    this.known = known;
    this.owner = owner;
    this.#idleSince = now;
    // Those of a PROXY header are no request's; what has come behind it is unread.
    this.#bytesAtOpen = socket.bytesRead - socket.readableLength;
    this.#bytesWhenIdle = this.#bytesAtOpen;
  }

  /** Its socket has closed. */
  onClosed(): void {
    this.owner.closed(this);
  }

  /** Whether anything of a request has ever arrived. */
  get hasReceived(): boolean {
    return this.socket.bytesRead > this.#bytesAtOpen;
  }

  /** Whether its peer is a proxy that the rules trust. */
  isOf(rules: ProxyRules | undefined): boolean {
    this.#isTrusted ??= rules?.trusts(new ConnectionEndpoints(this.socket, this.known).peer) ?? false;
    return this.#isTrusted;
  }

  /** Whether part of a next request, or content of the last one, has arrived since the connection became idle. */
  get hasInput(): boolean {
    return !this.inUse && this.socket.bytesRead > this.#bytesWhenIdle;
  }

  /** Bytes of an incomplete head. */
  get headBytes(): number {
    const arriving = !this.inUse && this.unread === undefined && !this.refused;
    return arriving ? this.socket.bytesRead - this.#bytesWhenIdle : 0;
  }

  /** Whether a request has no complete response yet, or the app has been given the connection. */
  get inUse(): boolean {
    return this.#first !== undefined || this.upgraded;
  }

  /** A request has arrived. */
  begin(exchange: ListenerExchange): void {
    this.requests += 1;
    this.#headSince = undefined;
    const { last } = this;
    if (last === undefined) this.#first = exchange;
    else last.next = exchange;
  }

  /** The exchange of the latest request, if its response is not complete. */
  get last(): ListenerExchange | undefined {
    let last = this.#first;
    while (last?.next !== undefined) last = last.next;
    return last;
  }

  /** The exchanges without a complete response, in the order of their requests. */
  exchanges(): ListenerExchange[] {
    const all: ListenerExchange[] = [];
    for (let each = this.#first; each !== undefined; each = each.next) all.push(each);
    return all;
  }

  /** Whether the app has a `timeout` listener for one of the exchanges, which then handles it as in node. */
  get handlesTimeout(): boolean {
    return this.exchanges().some(
      ({ request, response }) =>
        response.listenerCount("timeout") > 0 || (!request.complete && request.listenerCount("timeout") > 0),
    );
  }

  /** Removes the exchange of a response that is complete or broken off; undefined if it has been removed before. */
  remove(response: ServerResponse): ListenerExchange | undefined {
    let before: ListenerExchange | undefined;
    for (let each = this.#first; each !== undefined; each = each.next) {
      if (each.response === response) {
        if (before === undefined) this.#first = each.next;
        else before.next = each.next;
        // Else one that a collection has kept would keep all that came after it.
        each.next = undefined;
        return each;
      }
      before = each;
    }
    return undefined;
  }

  /** Removes all exchanges: the connection has closed. */
  removeAll(): ListenerExchange[] {
    const all = this.exchanges();
    this.#first = undefined;
    return all;
  }

  /** The app is given the connection, which is never idle again. No timeout applies from then on. */
  upgrade(): void {
    this.requests += 1;
    this.#headSince = undefined;
    this.#bytesBeforeUpgrade = this.socket.bytesWritten;
  }

  get upgraded(): boolean {
    return this.#bytesBeforeUpgrade !== undefined;
  }

  /** Whether the app has sent something on the connection since the upgrade: its handshake, or a response. */
  get upgradeAnswered(): boolean {
    return this.#bytesBeforeUpgrade !== undefined && this.socket.bytesWritten > this.#bytesBeforeUpgrade;
  }

  get isReadPaused(): boolean {
    return this.inUse && (this.socket.isPaused() || this.socket.readableEnded);
  }

  get hasUnreadInput(): boolean {
    return this.upgraded && (this.socket.readableLength > 0 || this.socket.writableEnded);
  }

  /** An exchange has been removed. */
  ended(exchange: ListenerExchange, now: number): void {
    this.unread = exchange.request.complete ? undefined : exchange;
    this.#becomeIdle(now);
  }

  #becomeIdle(now: number): void {
    this.#idleSince = now;
    this.#bytesWhenIdle = this.socket.bytesRead;
  }

  /** The server drains: the linger of an idle connection begins now. */
  startLinger(now: number): void {
    this.#idleSince = now;
  }

  /** How long the connection has been idle, at least; undefined if it is in use. */
  idleFor(now: number): number | undefined {
    return !this.inUse && this.unread === undefined && !this.hasInput ? now - this.#idleSince : undefined;
  }

  /** Whether the connection stays open only until its client has read the refusal. */
  get refused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Closes our side after what has been written. Input is discarded until the linger is over, so that no reset overtakes
   * the response (RFC 9112 section 9.6).
   *
   * @param onClose called before node reports the close to the listener, which can then get a better reason
   */
  refuse(now: number, onClose?: () => void): void {
    if (this.refused) return;
    this.leaveToApp(now);
    if (onClose !== undefined) this.socket.prependOnceListener("close", onClose);
    this.socket.end();
  }

  /** Lets the app answer and close, also later, within the time that a client gets to read a refusal. */
  leaveToApp(now: number): void {
    this.#refusal = { bytes: this.socket.bytesRead, linger: new Linger(now) };
    this.socket.resume();
  }

  /** Returns what the client did not do in time, or undefined. Call on every tick. */
  overdue(now: number, timeouts: ServerTimeouts): Overdue | undefined {
    if (this.upgraded) return undefined;
    if (this.#refusal !== undefined) return this.#lingerIsOver(now, this.#refusal) ? "response" : undefined;
    // The app may have set a longer timeout on the socket.
    const timeout = Math.max(timeouts.body, this.socket.timeout ?? 0);
    if (this.socket.writableLength > 0) this.#progress ??= new WriteProgress(this.socket);
    if (this.#progress?.isOverdue(now, timeout, timeouts.responseMinRate) === true) return "response";
    if (this.inUse) return undefined;
    if (this.unread !== undefined) return this.#contentOverdue(now);
    return this.hasInput ? this.#headOverdue(now, timeouts) : this.#firstRequestOverdue(now, timeouts);
  }

  /** The event that the connection waits for, if it may be closed to make room for others. */
  standing(now: number): Standing | undefined {
    if (this.upgraded || this.failure !== undefined) return undefined;
    if (this.#refusal !== undefined) return { wait: "end", late: this.#refusal.linger.age(now) };
    const reading = this.#first ?? this.unread;
    const content = reading?.lateness(now) ?? ON_TIME;
    if (content.late > 0) return { wait: "content", ...content };
    if (this.socket.writableLength > 0)
      return { wait: "reader", ...(this.#progress?.lateness(now) ?? ON_TIME) };
    if (reading !== undefined) return undefined;
    if (this.hasInput) {
      this.#headSince ??= now;
      return { wait: "head", late: headLateness(now - this.#headSince, this.headBytes) };
    }
    return { wait: this.requests > 0 ? "next request" : "first byte", late: now - this.#idleSince };
  }

  #lingerIsOver(now: number, refusal: Refusal): boolean {
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
      this.#becomeIdle(now);
      return undefined;
    }
    return unread.contentOverdue(now) ? "content" : undefined;
  }

  #headOverdue(now: number, { header }: ServerTimeouts): Overdue | undefined {
    this.#headSince ??= now;
    return now - this.#headSince >= header ? "head" : undefined;
  }

  /** Node's keep-alive timer begins with the first response, so a connection without any request is checked here. */
  #firstRequestOverdue(now: number, { keepAlive, header }: ServerTimeouts): Overdue | undefined {
    if (this.hasReceived) return undefined;
    return now - this.#idleSince >= (keepAlive || header) ? "next request" : undefined;
  }
}
