/**
 * One connection of HTTP/2: its streams, what it may cost, how long it may be idle, and its end. A session ends in two steps
 * (RFC 9113 section 6.8): a GOAWAY that says that the end is near, and when the client must have seen it, another that says
 * which requests are answered. No request in between is lost.
 */
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Endpoint } from "../../gateway/types.ts";
import { Linger } from "../linger.ts";
import { type Member, MemberList } from "../member-list.ts";
import type { Standing, Wait } from "../places/policy.ts";
import type { ConnectionStates, InFlightRequest } from "../server.ts";
import type { SessionHost } from "../session-server.ts";
import { END_STREAM, type Frame, FrameType, FrameWalker, goawayFrame, PREFACE } from "./frame-walker.ts";
import { GoawayNotice } from "./goaway-notice.ts";
import { closeStream, endSession, guardStream, takeSession } from "./node-session.ts";
import { headerListSize } from "./request-head.ts";
import { type Excess, SessionBudget } from "./session-budget.ts";
import type { ArrivedHead, ExchangeSession, SessionExchange } from "./session-exchange.ts";
import { type StreamObserver, WatchedStream } from "./watched-stream.ts";

const NO_ERROR = 0;
const PROTOCOL_ERROR = 1;
const REFUSED_STREAM = 7;
const ENHANCE_YOUR_CALM = 11;
/** For a client that answers no PING: between the first GOAWAY and the last. */
const NOTICE_MS = 1000;

/** The facts that all requests of a connection share, as far as the session reads them. */
export interface SessionContext {
  readonly peer: Endpoint;
  /** Has rules only for a trusted proxy. */
  readonly proxyRules: unknown;
}

/** The server, to its sessions. */
export interface SessionOwner<Context extends SessionContext> {
  readonly host: SessionHost;
  readonly maxStreams: number;
  /** Bytes of all fields of a request, with 32 for each. Their compressed block may not be larger either. */
  readonly maxHeaderList: number;
  /** How long an idle session is still served while the server drains. */
  readonly lingerMs: number;
  makeExchange(session: Session<Context>, stream: ServerHttp2Stream): SessionExchange;
  onExcess(excess: Excess, session: Session<Context>): void;
  onClosed(session: Session<Context>): void;
}

export class Session<Context extends SessionContext>
  implements ExchangeSession<Context>, StreamObserver, Member
{
  place = -1;
  readonly host: SessionHost;
  readonly context: Context;
  readonly #owner: SessionOwner<Context>;
  readonly #socket: Socket;
  readonly #stream: WatchedStream;
  readonly #session: ServerHttp2Session;
  readonly #exchanges = new MemberList<SessionExchange>();
  readonly #resetByClient = new Set<number>();
  readonly #budget: SessionBudget;
  readonly #received: FrameWalker;
  readonly #sent: FrameWalker;
  readonly #notice: GoawayNotice;
  #excess: Excess | undefined;
  #requests = 0;
  #lastStream = 0;
  #hasSaidGoaway = false;
  #handlers = 0;
  /** When the idle session, the header block that is arriving, or the linger is over, in the server's time. */
  #deadline: number;
  #blockDeadline = Number.POSITIVE_INFINITY;
  #blockSince = 0;
  #idleSince: number;
  /** When the last GOAWAY is due. */
  #finalDeadline = Number.POSITIVE_INFINITY;
  #isClosing = false;
  #linger: Linger | undefined;

  /** @param server speaks the protocol, and listens on nothing */
  constructor(owner: SessionOwner<Context>, server: Http2Server, socket: Socket, context: Context) {
    this.#owner = owner;
    this.host = owner.host;
    this.context = context;
    this.#socket = socket;
    this.#budget = new SessionBudget(owner.maxHeaderList);
    this.#received = new FrameWalker((frame) => this.#onReceivedFrame(frame), PREFACE.length);
    this.#sent = new FrameWalker((frame) => this.#onSentFrame(frame));
    this.#notice = new GoawayNotice(this.#sent);
    this.#idleSince = this.#now;
    this.#deadline = this.#now + this.#idleTimeout;
    socket.once("close", () => owner.onClosed(this));
    this.#stream = new WatchedStream(socket, this);
    this.#session = takeSession(server, this.#stream);
    // A session that fails closes too.
    this.#session.on("error", () => {});
    this.#session.on(
      "stream",
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, fields: string[]) =>
        this.#streamOpened(stream, { fields, headers, hasContent: (flags & END_STREAM) === 0 }),
    );
  }

  get #now(): number {
    return this.host.clock.now;
  }

  get #idleTimeout(): number {
    const { keepAlive, header } = this.host.options.timeouts;
    return keepAlive || header;
  }

  get remote(): string {
    return this.context.peer.address;
  }

  get state(): keyof ConnectionStates {
    for (const { current } of this.#exchanges) if (current !== undefined) return "active";
    for (const { isUpgraded } of this.#exchanges) if (isUpgraded) return "upgraded";
    return "idle";
  }

  get inFlight(): InFlightRequest[] {
    return [...this.#exchanges].flatMap(({ current }) => current ?? []);
  }

  // ---- frames

  onReceived(bytes: Uint8Array): boolean {
    if (this.#linger !== undefined) {
      this.#linger.received(this.#now);
      this.#deadline = this.#linger.deadline;
      return false;
    }
    if (this.#excess !== undefined) return false;
    this.#received.walk(bytes);
    if (!this.#budget.inHeaderBlock) this.#blockDeadline = Number.POSITIVE_INFINITY;
    else if (this.#blockDeadline === Number.POSITIVE_INFINITY) {
      this.#blockSince = this.#now;
      this.#blockDeadline = this.#now + this.host.options.timeouts.header;
    }
    if (this.#excess === undefined) return true;
    this.#endForExcess(this.#excess);
    return false;
  }

  #onReceivedFrame(frame: Frame): void {
    if (frame.type === FrameType.reset && this.#exchangeOf(frame.streamId) !== undefined)
      this.#resetByClient.add(frame.streamId);
    this.#excess ??= this.#budget.received(frame, performance.now());
  }

  /** There are few. A Map would keep all that have ever been in it, as a Set does (`member-list.ts`). */
  #exchangeOf(streamId: number): SessionExchange | undefined {
    const exchanges = this.#exchanges;
    let index = exchanges.size - 1;
    while (index >= 0 && exchanges.at(index)?.stream.id !== streamId) index -= 1;
    return exchanges.at(index);
  }

  onSent(bytes: Uint8Array): Uint8Array | undefined {
    this.#sent.walk(bytes);
    return this.#notice.take();
  }

  #onSentFrame(frame: Frame): void {
    if (frame.type === FrameType.goaway) this.#saidGoaway(frame.value);
    else if (frame.type === FrameType.data) this.#exchangeOf(frame.streamId)?.progressed(frame.length);
    if (this.#excess !== undefined) return;
    this.#excess = this.#budget.sent(frame, performance.now());
    // Not within a write of node:http2.
    if (this.#excess !== undefined)
      setImmediate((excess: Excess) => this.#endForExcess(excess), this.#excess);
  }

  /** RFC 9113 section 5.4.1: behind an error the connection is closed. node:http2 leaves that to the client after some. */
  #saidGoaway(code: number): void {
    this.#hasSaidGoaway = true;
    if (code !== NO_ERROR)
      setImmediate(() => this.#session.destroy(new Error("the client broke the protocol"), code));
  }

  #endForExcess(excess: Excess): void {
    if (this.#session.destroyed) return;
    this.#owner.onExcess(excess, this);
    this.#hasSaidGoaway = false;
    this.#session.destroy(new Error(`too many ${excess}`), ENHANCE_YOUR_CALM);
  }

  /** node:http2 sends no GOAWAY while it is writing, nor after some errors. The client would not know what it may repeat. */
  lastWords(): Uint8Array | undefined {
    if (this.#hasSaidGoaway || !this.#sent.betweenFrames) return undefined;
    return goawayFrame(this.#lastStream, this.#excess === undefined ? PROTOCOL_ERROR : ENHANCE_YOUR_CALM);
  }

  onLingering(): void {
    this.#linger = new Linger(this.#now);
    this.#deadline = this.#linger.deadline;
  }

  // ---- streams

  #streamOpened(stream: ServerHttp2Stream, head: ArrivedHead): void {
    // A client that cancels may open others at once, but the app is still busy with those.
    if (this.#handlers >= this.#owner.maxStreams * 2) {
      closeStream(stream, REFUSED_STREAM);
      return;
    }
    // node:http2 applies the limit only once the client has acknowledged it.
    if (headerListSize(head.fields) > this.#owner.maxHeaderList) {
      closeStream(stream, ENHANCE_YOUR_CALM);
      return;
    }
    guardStream(stream, this.#stream);
    this.#requests += 1;
    this.#lastStream = stream.id ?? this.#lastStream;
    this.#deadline = Number.POSITIVE_INFINITY;
    const exchange = this.#owner.makeExchange(this, stream);
    this.#exchanges.add(exchange);
    exchange.begin(head);
  }

  wasResetByClient(streamId: number): boolean {
    return this.#resetByClient.has(streamId);
  }

  handlerBegan(): void {
    this.#handlers += 1;
    this.host.handlers.begin();
  }

  readonly handlerSettled = (): void => {
    this.#handlers -= 1;
    this.host.handlers.settled();
  };

  responding(closes: boolean): void {
    const { host } = this;
    const { timeouts, connectionRequests = Number.POSITIVE_INFINITY } = host.options;
    if (closes || host.full || timeouts.keepAlive === 0 || this.#requests >= connectionRequests) this.close();
    else if (host.shedding > 0 && !this.#isClosing) {
      host.shedding -= 1;
      this.close();
    }
  }

  streamClosed(exchange: SessionExchange): void {
    this.#exchanges.delete(exchange);
    this.#resetByClient.delete(exchange.stream.id ?? 0);
    if (this.#exchanges.size > 0 || this.#linger !== undefined) return;
    this.#idleSince = this.#now;
    this.#deadline = this.#now + (this.host.draining ? this.#owner.lingerMs : this.#idleTimeout);
  }

  // ---- the end

  /** Asks the client to open no more streams, and closes when those it has are done. */
  close(): void {
    // Whatever the client sends after the answer, it has sent after it saw the GOAWAY.
    const ping = (): unknown => this.#session.destroyed || this.#session.ping(() => this.#closeFinally());
    this.#announce(NOTICE_MS, ping);
  }

  /** The server drains: the client may send requests until the linger is over; without one, until it must know of the end. */
  drain(lingerMs: number): void {
    if (lingerMs > 0) this.#announce(lingerMs);
    else this.close();
  }

  /** @param onSaid called when the client has been sent the news */
  #announce(milliseconds: number, onSaid?: () => void): void {
    const session = this.#session;
    if (this.#isClosing || session.closed || session.destroyed) return;
    this.#isClosing = true;
    this.#finalDeadline = this.host.clock.exact + milliseconds;
    const notice = this.#notice.say(onSaid);
    if (notice !== undefined) this.#stream.insert(notice);
  }

  #closeFinally(): void {
    this.#finalDeadline = Number.POSITIVE_INFINITY;
    if (!this.#session.destroyed) this.#session.close();
  }

  checkDeadlines(passed: number): void {
    for (const exchange of this.#exchanges) exchange.checkDeadlines(passed);
    if (this.#finalDeadline <= passed) this.#closeFinally();
    if (this.#blockDeadline <= passed) {
      this.#blockDeadline = Number.POSITIVE_INFINITY;
      this.host.options.meter?.connectionFailed("head_timeout");
      endSession(this.#session, this.#exchanges.size);
    }
    if (this.#deadline > passed) return;
    this.#deadline = Number.POSITIVE_INFINITY;
    if (this.#linger !== undefined) this.#socket.destroy();
    else this.#idleTimedOut();
  }

  #idleTimedOut(): void {
    // Waiting does not send more to a client that does not read.
    this.#deadline = this.#now + this.#idleTimeout;
    if (this.#isClosing) {
      if (this.#session.destroyed || this.#finalDeadline !== Number.POSITIVE_INFINITY) return;
      this.#session.destroy();
    } else this.close();
  }

  /** The event that the session waits for, when the worker's places run out; undefined while the app has something to do. */
  standing(now: number): Standing | undefined {
    const isSent = this.#socket.writableLength === 0;
    if (this.#linger !== undefined) return { wait: isSent ? "end" : "reader", late: this.#linger.age(now) };
    if (this.#exchanges.size === 0) return this.#idleStanding(now);
    let latest: Standing | undefined;
    for (const exchange of this.#exchanges) {
      const standing = exchange.standing(now);
      if (standing === undefined) return undefined;
      if (latest === undefined || standing.late < latest.late) latest = standing;
    }
    return latest;
  }

  #idleStanding(now: number): Standing | undefined {
    if (this.#budget.inHeaderBlock) return { wait: "head", late: now - this.#blockSince };
    const late = now - this.#idleSince;
    if (this.#requests === 0) return { wait: "first byte", late };
    // A proxy may just be sending a request. GOAWAY says that it may repeat it, but not each does.
    return this.context.proxyRules === undefined ? { wait: "next request", late } : undefined;
  }

  /** Closes the connection to make room for others. */
  giveWay(wait: Wait): void {
    const { meter } = this.host.options;
    if (wait === "reader") meter?.connectionFailed("write_timeout");
    else if (wait === "head") meter?.connectionFailed("head_timeout");
    else if (wait !== "end") meter?.connectionFailed("evicted");
    endSession(this.#session, this.#exchanges.size);
    // Behind the GOAWAY, which a client that reads nothing would never take.
    setImmediate(() => (wait === "reader" ? this.#socket.destroy() : this.#socket.destroySoon()));
  }

  logUnfinished(): void {
    for (const exchange of this.#exchanges) exchange.logUnfinished();
  }

  destroy(): void {
    for (const exchange of this.#exchanges) exchange.abandon();
    endSession(this.#session, this.#exchanges.size);
    this.#socket.destroy();
  }
}
