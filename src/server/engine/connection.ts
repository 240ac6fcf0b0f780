/**
 * One client connection: bytes in, requests to the app one after the other, answers out. A request is
 * not looked at before the one ahead of it is answered, and nothing is read behind a message that ends
 * the connection.
 */
import type { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BodyError, ClientGone, HttpError, RequestAborted } from "../../errors.ts";
import { respondToFault } from "../../exchange/content-fault.ts";
import { type ExchangeContext, ExchangeRequest } from "../../exchange/request.ts";
import { handlerFor, runHandler } from "../../exchange/run.ts";
import type { Handler } from "../../gateway/types.ts";
import { HeadLimitError } from "../../http/head-limit.ts";
import { type RequestHead, RequestParser, type RequestParserEvents } from "../../http/request-parser.ts";
import type { RecordedRequest } from "../../ipc/stall-report.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import { Linger } from "../linger.ts";
import type { PeerWatch, WatchedPeer } from "../peer-watch.ts";
import type { RunningHandlers } from "../running-handlers.ts";
import type { EngineOptions } from "../server-options.ts";
import type { UnfinishedHeads } from "../unfinished-heads.ts";
import { type ArrivalHost, ArrivingBody } from "./incoming-body.ts";
import type { EngineExchangeLog } from "./engine-exchange-log.ts";
import { type AnsweredConnection, EngineResponse, ResponseSender } from "./engine-response.ts";
import { Input, type InputReader } from "./input.ts";
import { Output } from "./output.ts";
import { UpgradedStream } from "./upgraded-stream.ts";

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly handle: Handler;
  /** Takes the requests that ask to change protocols; undefined where `handle` does. */
  readonly upgrade: Handler | undefined;
  readonly options: EngineOptions;
  /** The async scope of what belongs to no request. */
  readonly scope: AsyncResource;
  /** What deadlines are counted from: the host's time in milliseconds at the end of the tick under way. */
  readonly now: number;
  readonly draining: boolean;
  /** Nobody is accepted until a connection is closed. */
  readonly full: boolean;
  readonly peers: PeerWatch;
  readonly handlers: RunningHandlers;
  readonly heads: UnfinishedHeads<EngineConnection>;
  /** While draining: how long an idle connection may still bring a request. */
  readonly lingerMs: number;
  /** How many kept connections are to be let go. */
  shedding: number;
  /** Who writes the lines of a connection in the access log; undefined where it is off. */
  logExchanges(context: ExchangeContext): EngineExchangeLog | undefined;
  onAnswered(): void;
  onClosed(connection: EngineConnection): void;
}

type Phase = "idle" | "head" | "exchange" | "lingering" | "upgraded" | "closed";

export class EngineConnection
  implements AnsweredConnection, ArrivalHost, InputReader, RequestParserEvents, WatchedPeer
{
  /** When the current phase is overdue; in the host's time. */
  deadline: number;
  /** When the current request should have an answer; in the host's time. */
  requestDeadline = Number.POSITIVE_INFINITY;
  readonly input: Input;
  readonly socket: Socket;
  readonly #host: ConnectionHost;
  readonly #context: ExchangeContext;
  readonly #parser: RequestParser;
  readonly #output: Output;
  readonly #sender: ResponseSender;
  readonly #log: EngineExchangeLog | undefined;
  #phase: Phase = "idle";
  #request: ExchangeRequest | undefined;
  #answer: EngineResponse | undefined;
  /** Settles with the handler, where that says. */
  #running: Promise<unknown> | undefined;
  #startedAt = 0;
  #keepAlive = true;
  /** The body of the current request, unless it has none. */
  #arriving: ArrivingBody | undefined;
  /** Undefined until the last response has been sent. */
  #linger: Linger | undefined;
  #upgraded: UpgradedStream | undefined;

  constructor(socket: Socket, host: ConnectionHost, context: ExchangeContext) {
    this.socket = socket;
    this.#host = host;
    this.#context = context;
    this.input = new Input(socket, this, host.scope);
    this.#output = new Output(socket, host.options.timeouts.body, () => {
      if (this.input.holds && this.#answer === undefined) this.input.advance();
    });
    this.#log = host.logExchanges(context);
    this.#sender = new ResponseSender(this, this.#output, this.#log);
    this.#parser = new RequestParser(host.options.limits, this);
    this.deadline = host.now + (host.options.timeouts.keepAlive || host.options.timeouts.header);
    socket.on("end", () => this.#onPeerEnd());
    socket.on("error", () => {});
    socket.on("close", () => this.#onClose());
  }

  /** The request being answered, if any. */
  get current(): { request: ExchangeRequest; startedAt: number; record?: RecordedRequest } | undefined {
    if (this.#request === undefined) return undefined;
    const record = this.#log?.record();
    return { request: this.#request, startedAt: this.#startedAt, ...(record && { record }) };
  }

  /** The process ends: what is under way gets its line in the access log. */
  logUnanswered(): void {
    this.#endHead("worker-exit");
    this.#log?.finish("worker-exit");
  }

  /** A request whose head will never be whole has reached us, too. */
  #endHead(end: RequestEnd): void {
    if (this.#phase !== "head") return;
    this.#host.heads.release(this);
    this.#phase = "closed";
    this.#log?.broke(this.#parser.received, end);
  }

  /** True when nothing is being received or answered. */
  get idle(): boolean {
    return this.#phase === "idle" && !this.input.holds;
  }

  // ---- input

  /** Takes bytes that are valid during the call only. False when the socket should be paused. */
  receive(bytes: Buffer): boolean {
    switch (this.#phase) {
      case "upgraded":
        return (this.#upgraded as UpgradedStream).receive(bytes);
      case "lingering":
        if (this.#linger !== undefined) {
          this.#linger.received(this.#host.now);
          this.deadline = this.#linger.deadline;
        }
        return true;
      case "closed":
        return true;
    }
    return this.input.receive(bytes);
  }

  get accepting(): boolean {
    return this.#phase === "idle" || this.#phase === "head" || this.#phase === "exchange";
  }

  get blocked(): boolean {
    // Whoever asks for more without taking what there is would have us hold it all.
    if (this.#answer === undefined) return this.#phase === "idle" && this.#output.behind;
    const body = this.#arriving;
    return body === undefined || body.received || (body.givenUp && !this.#answer.complete);
  }

  look(bytes: Buffer): number {
    this.#output.gather();
    try {
      let at = 0;
      while (at < bytes.length && this.accepting) {
        if (this.blocked) return at;
        at += this.#parser.execute(bytes, at, bytes.length - at);
      }
      if (this.#upgraded !== undefined) {
        if (at < bytes.length && !this.#upgraded.receive(bytes.subarray(at))) this.socket.pause();
        if (this.input.ended) this.#upgraded.receiveEnd();
      } else if (this.#parser.inHead) {
        if (this.#phase === "idle") this.#enter("head", this.#host.options.timeouts.header);
        if (this.#phase === "head") this.#host.heads.hold(this, this.#parser.held);
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#output.flush();
    }
    return bytes.length;
  }

  #enter(phase: Phase, milliseconds: number): void {
    this.#phase = phase;
    this.deadline = this.#host.now + milliseconds;
  }

  onHead(head: RequestHead): void {
    const host = this.#host;
    const options = host.options;
    if (this.#phase === "head") host.heads.release(this);
    this.#phase = "exchange";
    this.#startedAt = performance.now();
    this.#log?.begin(head, this.#startedAt);
    this.#sender.expect(head.method, head.httpVersion, head.upgrade && head.contentLength === 0);
    this.#keepAlive = head.keepAlive && head.method !== "CONNECT" && options.timeouts.keepAlive > 0;
    this.deadline = Number.POSITIVE_INFINITY;
    if (head.contentLength !== undefined && head.contentLength > options.limits.body) {
      throw new HttpError(413, "the request body is too large");
    }
    this.#arriving =
      head.contentLength === 0
        ? undefined
        : new ArrivingBody(this, head.contentLength, options, head.expectContinue);
    const request = new ExchangeRequest(head, this.#context, this.#arriving?.body, this.#extend);
    const handler = handlerFor(request, host.handle, host.upgrade);
    this.requestDeadline = host.now + options.timeouts.request;
    this.#log?.handOver(request);
    const { describeError: describe } = options;
    const answer = new EngineResponse(
      this.#sender,
      (error) => options.onError(error, request),
      describe && ((error) => describe(error, request.headers.accept)),
    );
    this.#request = request;
    this.#answer = answer;
    const running = runHandler(handler, request, answer, host.handlers.settled);
    if (running === undefined) return;
    host.handlers.begin();
    if (this.#answer === answer || this.#upgraded !== undefined) this.#running = running;
  }

  readonly #extend = (milliseconds: number): void => {
    if (this.requestDeadline !== Number.POSITIVE_INFINITY)
      this.requestDeadline = this.#host.now + milliseconds;
  };

  onBody(chunk: Uint8Array): void {
    if (this.#answer === undefined) return;
    if (this.requestDeadline !== Number.POSITIVE_INFINITY) this.#renewRequest();
    this.#arriving?.take(chunk);
  }

  /** Nobody can answer a request that is still arriving: its time counts from its latest content. */
  #renewRequest(): void {
    const renewed = this.#host.now + this.#host.options.timeouts.request;
    if (renewed > this.requestDeadline) this.requestDeadline = renewed;
  }

  onEnd(rawTrailers: string[]): void {
    if (this.#arriving === undefined || this.#arriving.received) return;
    this.#arriving.end(rawTrailers);
    if (this.#answer?.complete === true) this.#endExchange();
  }

  /** Something that is not to be answered by the app: our own answer, and the end. */
  #refuse(cause: unknown): void {
    if (!(cause instanceof HttpError)) throw cause;
    if (cause instanceof HeadLimitError) this.#host.options.onHeadLimit?.(cause.limit);
    if (this.#answer === undefined) {
      this.#keepAlive = false;
      this.#sender.refuse(cause.status, cause.message, this.#phase === "exchange" && this.#sender.headOnly);
      this.#log?.refuse(cause.status, this.#parser.received);
      this.close();
      return;
    }
    const why = this.input.ended ? new ClientGone(cause.message) : cause;
    this.failContent(new BodyError(cause.status, cause.message, { cause: why }));
  }

  /** The content of the current request is broken, whoever found it and however it is read. */
  failContent(fault: BodyError): void {
    const arriving = this.#arriving;
    const answer = this.#answer;
    if (arriving === undefined || answer === undefined) return;
    this.#keepAlive = false;
    if (!answer.complete) this.#log?.because(fault.status === 408 ? "timeout" : "refused");
    const begun = arriving.wanted;
    if (begun) respondToFault(answer, fault, () => this.#running);
    arriving.break(fault);
    if (answer.complete) this.close();
    else if (!begun && !answer.headSent) answer.abort(fault);
  }

  #onPeerEnd(): void {
    this.input.end();
    // Its own sending side may be all that a client has closed: an answer is still delivered.
    this.#abort(new ClientGone("the client closed its side of the connection"));
    if (this.#phase === "exchange" || this.#phase === "upgraded")
      this.#host.peers.peerEnded(this, this.#host.now);
    if (this.#phase === "upgraded") this.#upgraded?.receiveEnd();
    else if (!this.input.holds) this.inputEnded();
  }

  /** Nobody waits for the answer any more: the app is told, unless it has answered. */
  #abort(reason: Error): void {
    if (this.#answer?.complete !== false) return;
    this.#log?.because(reason instanceof ClientGone ? "client-gone" : "worker-exit");
    this.#request?.abort(reason);
  }

  get isReadPaused(): boolean {
    return this.#upgraded?.behind ?? (this.#request !== undefined && this.input.paused);
  }

  get hasUnreadInput(): boolean {
    const stream = this.#upgraded;
    return stream !== undefined && (stream.readableLength > 0 || this.socket.writableEnded);
  }

  probe(): boolean {
    // What waits to be sent is a probe itself.
    if (this.#answer?.complete !== false || this.#output.pending) return false;
    return this.#sender.probe(this.#answer.headSent);
  }

  inputEnded(): void {
    if (this.#phase === "idle") this.close();
    if (this.#phase === "lingering") return;
    try {
      this.#parser.finish();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #onClose(): void {
    const gone = new ClientGone();
    this.#endHead("client-gone");
    this.#phase = "closed";
    this.input.drop();
    if (this.#arriving?.received === false) {
      this.#arriving.break(new BodyError(400, gone.message, { cause: gone }));
    }
    const request = this.#answer?.complete === false ? this.#request : undefined;
    this.#answer?.abandon(gone);
    this.#log?.finish("client-gone");
    this.#request = undefined;
    this.#answer = undefined;
    this.#host.peers.forget(this);
    if (request !== undefined || this.#upgraded !== undefined) this.#abandonHandler();
    this.#host.onClosed(this);
    // Last: the app may answer from its listener, and is not to find anything that could be answered.
    request?.abort(gone);
  }

  // ---- the body, as it arrives

  get answerComplete(): boolean {
    return this.#answer?.complete === true;
  }

  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  sendContinue(): void {
    if (this.#answer?.headSent === false) this.#output.text("HTTP/1.1 100 Continue\r\n\r\n");
  }

  get now(): number {
    return this.#host.now;
  }

  // ---- the answer, as its sender drives it

  /** Decides, when the head is written, whether the connection outlives this answer. */
  settleKeepAlive(): boolean {
    const body = this.#arriving;
    if (body?.received === false && body.hindersKeepAlive) this.#keepAlive = false;
    if (this.#host.draining || this.#host.full) this.#keepAlive = false;
    if (this.#host.shedding > 0 && this.#keepAlive) {
      this.#host.shedding -= 1;
      this.#keepAlive = false;
    }
    return this.#keepAlive;
  }

  refuseKeepAlive(): void {
    this.#keepAlive = false;
  }

  takeOver(): Duplex {
    this.#phase = "upgraded";
    this.deadline = Number.POSITIVE_INFINITY;
    const running = this.#running;
    this.#forgetExchange();
    // The handler of an upgrade works on behind it, until the connection is closed.
    this.#running = running;
    this.#upgraded = new UpgradedStream(this.socket, this.input.drop());
    const log = this.#log;
    if (log !== undefined) this.#upgraded.onFirstWrite = (bytes) => log.upgraded(bytes);
    // While input is being looked at, more of it may belong to the app.
    if (this.input.ended && !this.input.looking) this.#upgraded.receiveEnd();
    return this.#upgraded;
  }

  breakOff(): void {
    this.#log?.finish(this.socket.destroyed ? "client-gone" : "truncated");
    this.#output.flush();
    // A reset tells even where content ends with the connection; Unix sockets know none.
    if (this.#sender.endsWithConnection && this.#context.peer.family !== "unix")
      this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** Cuts the connection, whatever is under way. */
  destroy(): void {
    this.#endHead("worker-exit");
    this.#abort(new RequestAborted("the worker was told to stop at once"));
    this.socket.destroy();
  }

  // ---- the life of an exchange

  /** Nobody waits for what it does. */
  #abandonHandler(): void {
    if (this.#running !== undefined) this.#host.handlers.abandon(this.#running);
  }

  /** The answer has been handed over whole. */
  answered(): void {
    if (this.#answer?.lost === true) this.#abandonHandler();
    this.#log?.finish("complete");
    this.#host.onAnswered();
    const body = this.#arriving;
    if (body === undefined || body.received) {
      this.#endExchange();
    } else if (body.readOn) {
      // Who has begun to read, and goes on, gets it all: the exchange ends with the body.
      body.awaitContent();
    } else if (!this.#keepAlive) {
      this.close();
    } else {
      // What is left of the body is read and thrown away, within a bound.
      body.body.fail(new BodyError(400, "the request was answered before its body was read"));
      body.awaitContent();
      this.input.advance();
      this.input.resume();
    }
  }

  #endExchange(): void {
    this.#forgetExchange();
    if (!this.#keepAlive) {
      this.close();
      return;
    }
    this.#enterIdle();
    if (this.input.waits) this.input.advance();
  }

  #forgetExchange(): void {
    this.requestDeadline = Number.POSITIVE_INFINITY;
    this.#request = undefined;
    this.#answer = undefined;
    this.#arriving = undefined;
    this.#running = undefined;
  }

  #enterIdle(): void {
    const host = this.#host;
    this.#enter("idle", host.draining ? host.lingerMs : host.options.timeouts.keepAlive);
  }

  /** Sends what there is, closes our side, and listens on a little, so that a reset does not overtake the answer. */
  close(): void {
    if (this.#phase === "lingering" || this.#phase === "closed") return;
    if (this.#phase === "head") this.#host.heads.release(this);
    this.#parser.drop();
    this.input.drop();
    this.#arriving?.body.fail(
      new BodyError(400, "the connection was closed before the request body was complete"),
    );
    this.#forgetExchange();
    this.#enter("lingering", Number.POSITIVE_INFINITY);
    this.#output.end(() => {
      this.#linger = new Linger(this.#host.now);
      this.deadline = this.#linger.deadline;
    });
    this.input.resume();
  }

  /** The server drains: an idle connection may bring one more request until then, in the host's time. */
  drain(lingerUntil: number): void {
    if (this.#phase === "idle") this.deadline = Math.min(this.deadline, lingerUntil);
  }

  /** There is no memory for the head that is arriving. */
  refuseHead(): void {
    this.#refuse(new HttpError(503, "too much of unfinished requests is held here"));
  }

  /** The time of the current request is over. An answer that has begun may go on: it has other clocks. */
  requestOverdue(): void {
    this.requestDeadline = Number.POSITIVE_INFINITY;
    const answer = this.#answer;
    if (answer === undefined || answer.headSent) return;
    this.#keepAlive = false;
    this.#log?.because("timeout");
    this.#request?.abort(new RequestAborted("the time for this request is over"));
    answer.abort(new HttpError(503, `no answer within ${this.#host.options.timeouts.request / 1000} s`));
  }

  /** The deadline has passed. */
  overdue(): void {
    const phase = this.#phase;
    this.deadline = Number.POSITIVE_INFINITY;
    if (phase === "idle" && this.#output.pending) {
      // A client that is still taking an answer is not idle; one that takes nothing has a clock of its own.
      this.#output.watchRest();
      this.#enterIdle();
    } else if (phase === "idle") this.close();
    else if (phase === "head") this.#refuse(new HttpError(408, "the request took too long to arrive"));
    else if (phase === "lingering") this.socket.destroy();
    else if (phase === "exchange")
      this.#refuse(new HttpError(408, "the request body took too long to arrive"));
  }
}
