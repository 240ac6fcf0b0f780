/**
 * One client connection: reads input into the parser while a request may arrive, sends output, and moves through the
 * phases from the first byte to the close. Requests are handled one at a time, by the dispatcher: input that arrives
 * ahead of its turn is held, and nothing is parsed after a message that ends the connection. contract.ts has the whole
 * picture.
 */
import type { Duplex } from "node:stream";
import { ClientGone, HttpError, RequestAborted } from "../../errors.ts";
import type { ExchangeContext } from "../../exchange/request.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { Channel, ChannelEvents } from "../channel/channel.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import { Linger } from "../linger.ts";
import type { Member } from "../member-list.ts";
import type { WatchedPeer } from "../peer-watch.ts";
import type { Standing, Wait } from "../places/policy.ts";
import type { ConnectionStates } from "../server.ts";
import { ConnectionParser } from "./connection-parser.ts";
import { standingOf } from "./connection-standing.ts";
import type { ConnectionHost, CurrentRequest, ExchangeConnection } from "./contract.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { EngineExchangeWatch } from "./engine-exchange-watch.ts";
import { Input, type InputReader } from "./input.ts";
import { Output } from "./output.ts";
import { reportRefusal } from "./refusal-report.ts";
import { UpgradedStream } from "./upgraded-stream.ts";

export class EngineConnection
  extends ConnectionParser<EngineConnection>
  implements ChannelEvents, ExchangeConnection, InputReader, Member, WatchedPeer
{
  place = -1;
  readonly input: Input;
  readonly socket: Channel;
  readonly #context: ExchangeContext;
  readonly #output: Output;
  readonly #dispatcher: Dispatcher;
  readonly #watch: EngineExchangeWatch | undefined;
  /** `finish` has been called within `read`. */
  #finishing = false;
  /** Whether the head of the current request came in more than one read. */
  #inPieces = false;
  /** Undefined until the last response has been sent. */
  #linger: Linger | undefined;
  #upgraded: UpgradedStream | undefined;

  /** @param gate bounds its requests; undefined: nothing does */
  constructor(
    channel: Channel,
    host: ConnectionHost<EngineConnection>,
    context: ExchangeContext,
    gate?: InFlightGate,
  ) {
    super(host);
    this.socket = channel;
    this.#context = context;
    this.input = new Input(channel, this, host.scope);
    this.#output = new Output(channel, host.options.timeouts);
    this.#watch = host.watchExchanges(context);
    this.#dispatcher = new Dispatcher(this, host, context, this.#output, this.#watch, gate);
  }

  /** The request in progress; undefined if there is none. */
  get current(): CurrentRequest | undefined {
    return this.#dispatcher.current;
  }

  get state(): keyof ConnectionStates {
    if (this.phase === "upgraded") return "upgraded";
    return this.#dispatcher.busy ? "active" : "idle";
  }

  // ---- input

  onBytes(bytes: Buffer): boolean {
    switch (this.phase) {
      case "upgraded":
        return (this.#upgraded as UpgradedStream).receive(bytes);
      case "lingering":
        if (this.#linger !== undefined) {
          this.#linger.received(this.host.now);
          this.deadline = this.#linger.deadline;
        }
        return true;
      case "closed":
        return true;
    }
    this.#output.beginTurn();
    return this.input.receive(bytes);
  }

  get accepting(): boolean {
    return this.phase === "idle" || this.phase === "head" || this.phase === "exchange";
  }

  get blocked(): boolean {
    if (this.#dispatcher.busy) return this.#dispatcher.blocksInput;
    // Stop reading while earlier responses are unsent, or a client that pipelines without reading fills our memory.
    return this.phase === "idle" && this.#output.behind;
  }

  read(bytes: Buffer): number {
    this.#output.gather();
    try {
      let at = 0;
      while (at < bytes.length && this.accepting) {
        if (this.blocked) return at;
        at += this.parse(bytes, at, this.#dispatcher);
      }
      if (this.#finishing) {
        if (at < bytes.length) this.#endAndLinger();
        else this.#output.close();
      } else if (this.#upgraded !== undefined) {
        if (at < bytes.length && !this.#upgraded.receive(bytes.subarray(at))) this.socket.pause();
        if (this.input.ended) this.#upgraded.receiveEnd();
      } else if (this.inHead) {
        if (this.phase === "idle") this.enter("head", this.host.options.timeouts.header);
        if (this.phase === "head") this.host.heads.hold(this, this.heldBytes);
      } else if (this.phase === "head") {
        // The beginning of a head turned out to be an empty line in two pieces.
        this.host.heads.release(this);
        this.enterIdle();
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#output.flush();
    }
    return bytes.length;
  }

  inputEnded(): void {
    if (this.phase === "idle") this.close();
    if (this.phase === "lingering") return;
    try {
      this.finishParsing();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Responds to input that is not passed to the app, and closes. */
  #refuse(error: unknown): void {
    if (!(error instanceof HttpError)) throw error;
    reportRefusal(error, this.received, this.#context, this.host.options);
    this.#dispatcher.refuse(error, this.received, this.phase === "exchange");
  }

  /** Refuses the incomplete head: all of them together hold too much memory. */
  refuseHead(): void {
    this.#refuse(new HttpError(503, "the server holds too many unfinished requests"));
  }

  // ---- phases

  beginExchange(): void {
    this.#inPieces = this.phase === "head";
    if (this.#inPieces) this.host.heads.release(this);
    this.phase = "exchange";
    this.deadline = Number.POSITIVE_INFINITY;
  }

  endExchange(): void {
    this.enterIdle();
    if (this.input.waits) this.input.advance();
  }

  upgrade(onFirstWrite: ((bytes: Uint8Array) => void) | undefined): Duplex {
    this.phase = "upgraded";
    this.deadline = Number.POSITIVE_INFINITY;
    this.#upgraded = new UpgradedStream(this.socket.toSocket(), this.input.drop());
    this.#upgraded.onFirstWrite = onFirstWrite;
    // Within `read`, more of the input may belong to the app.
    if (this.input.ended && !this.input.isReading) this.#upgraded.receiveEnd();
    return this.#upgraded;
  }

  close(): void {
    if (this.#stopExchanges()) this.#endAndLinger();
  }

  /** Nothing is read or handled from now on. Returns false if that has been so before. */
  #stopExchanges(): boolean {
    if (this.phase === "lingering" || this.phase === "closed") return false;
    if (this.phase === "head") this.host.heads.release(this);
    this.stopParsing();
    this.input.drop();
    this.#dispatcher.connectionClosing();
    this.enter("lingering", Number.POSITIVE_INFINITY);
    return true;
  }

  #endAndLinger(): void {
    this.#output.end(() => {
      this.#linger = new Linger(this.host.now);
      this.deadline = this.#linger.deadline;
    });
    this.input.resume();
  }

  finish(): void {
    const { hasHeld, isReading } = this.input;
    if (!this.#stopExchanges()) return;
    // A client that sends in pieces may be sending one still.
    if (hasHeld || this.#inPieces) this.#endAndLinger();
    // Behind the head there may be more.
    else if (isReading) this.#finishing = true;
    else this.#output.close();
  }

  abort(reset: boolean): void {
    this.#watch?.finish(this.socket.destroyed ? "client-gone" : "truncated");
    this.#output.flush();
    // Unix sockets cannot be reset.
    if (reset && this.#context.peer.family !== "unix") this.socket.reset();
    else this.socket.destroy();
  }

  onDrained(): void {
    this.#output.caughtUp();
    if (this.input.hasHeld && !this.#dispatcher.busy) this.input.advance();
  }

  onStalled(): void {
    this.host.options.meter?.connectionFailed("write_timeout");
    this.socket.destroy();
  }

  onClosed(): void {
    this.#output.closed();
    this.#endIncompleteHead("client-gone");
    this.phase = "closed";
    this.input.drop();
    const abort = this.#dispatcher.connectionClosed();
    this.host.peers.forget(this);
    this.host.onClosed(this);
    // Last: a listener of the app may respond, and must find nothing to respond to.
    abort?.();
  }

  /** A head in progress that will never be complete counts as an error, and gets a line in the access log. */
  #endIncompleteHead(end: RequestEnd): void {
    if (this.phase !== "head") return;
    this.host.heads.release(this);
    this.phase = "closed";
    this.#watch?.endIncomplete(this.received, end);
  }

  // ---- called by the server

  /** Handles what has timed out. @param passed time that has passed for certain, in the server's time */
  checkDeadlines(passed: number): void {
    if (this.deadline <= passed) this.#phaseTimedOut();
    this.#dispatcher.checkDeadlines(passed);
  }

  #phaseTimedOut(): void {
    const phase = this.phase;
    this.deadline = Number.POSITIVE_INFINITY;
    if (phase === "idle" && this.#output.pending) {
      // A client that is still reading a response is not idle. One that reads nothing has a timeout of its own.
      this.#output.watchPending();
      this.enterIdle();
    } else if (phase === "idle") this.close();
    else if (phase === "head") this.#refuseLateHead();
    else if (phase === "lingering") this.socket.destroy();
  }

  #refuseLateHead(): void {
    this.#refuse(new HttpError(408, "the request took too long to arrive"));
  }

  /** The event that the connection waits for, if it may be closed to make room for others. */
  standing(now: number): Standing | undefined {
    const parts = {
      heldBytes: this.heldBytes,
      input: this.input,
      output: this.#output,
      channel: this.socket,
      dispatcher: this.#dispatcher,
      context: this.#context,
      linger: this.#linger,
    };
    return standingOf(this.phase, this.since, parts, now);
  }

  /** Closes the connection to make room for others. */
  giveWay(wait: Wait): void {
    if (wait === "head") this.#refuseLateHead();
    else if (wait === "content") this.#dispatcher.failLateContent();
    else if (wait === "reader") this.onStalled();
    else this.socket.destroy();
    const isIdle = wait === "first byte" || wait === "next request";
    if (isIdle) this.host.options.meter?.connectionFailed("evicted");
  }

  /** The process exits: writes the access log lines of a request in progress. */
  logUnfinished(): void {
    this.#endIncompleteHead("worker-exit");
    this.#watch?.finish("worker-exit");
  }

  /** Destroys the connection in any phase. */
  destroy(): void {
    this.#endIncompleteHead("worker-exit");
    this.#dispatcher.abort(() => new RequestAborted("the worker is stopping immediately"));
    this.socket.destroy();
  }

  // ---- the client's end (WatchedPeer)

  get descriptor(): number {
    return this.socket.descriptor;
  }

  onEnd(): void {
    this.input.end();
    // The client may have closed only its sending side: a response is still delivered.
    this.#dispatcher.abort(() => new ClientGone("the client closed its side of the connection"));
    if (this.phase === "exchange" || this.phase === "upgraded")
      this.host.peers.peerEnded(this, this.host.now);
    if (this.phase === "upgraded") this.#upgraded?.receiveEnd();
    else if (!this.input.hasHeld) this.inputEnded();
  }

  get isReadPaused(): boolean {
    return this.#upgraded?.isFull ?? (this.#dispatcher.busy && this.input.paused);
  }

  get hasUnreadInput(): boolean {
    const stream = this.#upgraded;
    return stream !== undefined && (stream.readableLength > 0 || this.socket.ended);
  }

  probe(): boolean {
    return this.#dispatcher.probe();
  }
}
