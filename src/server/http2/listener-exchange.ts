/**
 * One request that a node listener answers on a stream of HTTP/2, by node's compatibility API: what `StreamExchange` is to
 * gateway apps, and what `node/listener-exchange.ts` is over HTTP/1.1, whose limits, statuses and log lines it shares. The
 * listener may use its objects at any time, so the server's own responses bypass them.
 */

import type { IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import { BodyError, ClientGone, HttpError } from "../../errors.ts";
import { HeadLimitError } from "../../http/head-limit.ts";
import { ON_TIME } from "../content-pace.ts";
import type { EngineExchangeWatch } from "../engine/engine-exchange-watch.ts";
import type { GateVisit, InFlightGate, ShedReason } from "../in-flight-gate.ts";
import { lateContent } from "../node/listener-exchange.ts";
import type { ListenerContext, ListenerSessionHost } from "../node/listener-session-host.ts";
import { readInScope } from "../node/reading-scope.ts";
import type { Standing } from "../places/policy.ts";
import { meterQueue, queueTimeOf, REQUEST_START } from "../request-start.ts";
import type { InFlightRequest } from "../server.ts";
import { RETRY_AFTER } from "../server-options.ts";
import { AppTime, handlesTimeout } from "./app-time.ts";
import { CompatRequest, listenerHeaders, type RequestHost } from "./compat-request.ts";
import { type CompatHost, CompatResponse, leave } from "./compat-response.ts";
import { type Answer, answerOf, reportSent, sendAnswer, sentStatus } from "./listener-answer.ts";
import { type CallHost, ListenerCall } from "./listener-call.ts";
import { type ContentHost, ListenerContent } from "./listener-content.ts";
import { readHead, requestLineOf, type StreamHead } from "./request-head.ts";
import type { ArrivedHead, ExchangeSession, SessionExchange } from "./session-exchange.ts";
import { StreamSending } from "./stream-sending.ts";

/** The server, to the exchanges of its sessions. */
export interface ListenerOwner {
  readonly host: ListenerSessionHost;
  /** Bytes that a client may send before the app reads. */
  readonly window: number;
  /** The app has shown that it cannot be served by HTTP/2. */
  needsHttp1: boolean;
  watch(context: ListenerContext): EngineExchangeWatch | undefined;
}

export class ListenerStreamExchange
  implements SessionExchange, RequestHost, CompatHost, ContentHost, CallHost
{
  place = -1;
  readonly stream: ServerHttp2Stream;
  readonly #owner: ListenerOwner;
  readonly #session: ExchangeSession<ListenerContext>;
  readonly #watch: EngineExchangeWatch | undefined;
  readonly #sending: StreamSending;
  #startedAt = 0;
  readonly #appTime: AppTime;
  #visit: GateVisit | undefined;
  #content: ListenerContent | undefined;
  /** Undefined for a request that the app does not get. */
  #call: ListenerCall | undefined;
  #isComplete = false;

  constructor(owner: ListenerOwner, session: ExchangeSession<ListenerContext>, stream: ServerHttp2Stream) {
    this.#owner = owner;
    this.#session = session;
    this.stream = stream;
    this.#sending = new StreamSending(stream, owner.host.options.timeouts);
    this.#appTime = new AppTime(stream, owner.host.options.timeouts.request);
    this.#watch = owner.watch(session.context);
    // A stream that fails closes too.
    stream.on("error", () => {});
    stream.on("close", () => this.#closed());
    stream.on("finish", () => this.#checkComplete());
    // Before the request's own listener, so that its reader gets the error.
    stream.on("aborted", () => {
      this.#call?.checkKind();
      this.#content?.abort();
    });
  }

  begin(arrived: ArrivedHead): void {
    this.#startedAt = performance.now();
    const { options } = this.#owner.host;
    if (this.#owner.needsHttp1) {
      this.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      return;
    }
    try {
      const head = readHead(arrived.fields, options.limits, arrived.hasContent);
      this.#watch?.begin(head, this.#startedAt);
      if (head.contentLength !== undefined && head.contentLength > options.limits.body)
        throw new HttpError(413, "the request body is too large");
      if (head.method === "CONNECT" || head.upgrade)
        throw new HttpError(501, "node listeners get no tunnels by HTTP/2");
      this.#open(head, arrived);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (error instanceof HeadLimitError) options.onHeadLimit?.(error.limit);
      this.#refuse(error, arrived.fields);
    }
  }

  #open(head: StreamHead, arrived: ArrivedHead): void {
    const { host, window } = this.#owner;
    const { limits, timeouts, gate, meter } = host.options;
    const { headers, rawHeaders } = listenerHeaders(arrived, head);
    const request = new CompatRequest(this.stream, headers, rawHeaders, this);
    const response = new CompatResponse(this.stream, this);
    this.#call = new ListenerCall(this, { host, head, request, response }, this.#session);
    if (arrived.hasContent) {
      const needs = { limits, timeouts, window };
      this.#content = new ListenerContent(this, request, needs, head.expectContinue);
      readInScope(request as unknown as IncomingMessage);
      if (this.#content.exceedsLimit) this.#content.tooLarge();
    }
    this.#watch?.handOver(this.#call);
    this.stream.on("timeout", () => {
      if (!handlesTimeout(request, response)) this.#cut(constants.NGHTTP2_CANCEL);
    });
    const { proxyRules } = this.#session.context;
    const waited = head.timed && proxyRules !== undefined ? head.field(REQUEST_START) : undefined;
    if (gate === undefined && waited !== undefined && meter !== undefined) meterQueue(meter, waited);
    if (gate === undefined || gate.spares(head.target)) this.#run();
    else this.#enter(gate, waited);
  }

  #enter(gate: InFlightGate, waited: string | undefined): void {
    this.#visit = gate.visit(this.#startedAt, waited === undefined ? undefined : queueTimeOf(waited));
    this.#visit.enter({
      run: () => this.#run(),
      shed: (reason) => this.#shed(reason),
      queued: (milliseconds) => this.#owner.host.options.meter?.queued(milliseconds),
    });
  }

  #run(): void {
    const call = this.#call as ListenerCall;
    // The content may have been refused already.
    if (this.stream.headersSent) return;
    this.#appTime.begin(this.now);
    if (this.#content?.awaitsContinue === true) {
      this.#content.awaitsContinue = false;
      call.response.writeContinue();
    }
    call.run();
    call.checkKind();
  }

  #shed(reason: ShedReason): void {
    this.#watch?.reject(503, reason);
    this.#answer({ ...answerOf(503), retryAfter: RETRY_AFTER });
  }

  #refuse(error: HttpError, fields: readonly string[]): void {
    this.#answer({ ...answerOf(error.status), content: `${error.message}\n` });
    this.#watch?.refuse(error.status, requestLineOf(fields));
  }

  /** Responds in place of the app, whose objects have no effect any more. */
  #answer(answer: Answer): void {
    this.#appTime.stop();
    if (this.#call !== undefined) leave(this.#call.response);
    if (this.stream.destroyed || this.stream.closed || this.stream.headersSent) return;
    this.#session.responding(false);
    sendAnswer(this.stream, answer);
    this.#watch?.respond(answer.status, "", undefined, 0);
    this.#checkComplete();
  }

  /** Ends the exchange without its listener: with the error's status, if no head has been sent. */
  #breakOff(error: HttpError): void {
    const call = this.#call;
    if (call === undefined || this.stream.closed || this.stream.destroyed) return;
    this.#owner.host.options.onError(error, call.name);
    call.fail(error);
    if (call.isServed) call.request.failContent(error);
    const hasHead = this.stream.headersSent;
    this.#watch?.setReason(
      error instanceof BodyError && error.status !== 408 ? "refused" : "timeout",
      error.status,
    );
    this.#answer(answerOf(error.status));
    if (hasHead) this.#cut(this.#isComplete ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR);
  }

  #cut(code: number): void {
    if (!this.stream.closed && !this.stream.destroyed) this.stream.close(code);
  }

  // ---- CallHost

  listenerFailed(answer: Answer): void {
    if (this.#isComplete) return;
    if (this.stream.headersSent) this.#cut(constants.NGHTTP2_INTERNAL_ERROR);
    else this.#answer(answer);
  }

  requireHttp1(): void {
    this.#owner.needsHttp1 = true;
  }

  // ---- RequestHost, CompatHost, ContentHost

  get socket(): Socket {
    return this.#session.context.socket;
  }

  get contentIsWhole(): boolean {
    return this.#content?.isWhole ?? true;
  }

  get contentIsComplete(): boolean {
    return this.#content?.isComplete ?? true;
  }

  get responseIsComplete(): boolean {
    return this.#isComplete;
  }

  get now(): number {
    return this.#owner.host.clock.now;
  }

  responding(closes: boolean): void {
    this.#appTime.stop();
    this.#session.responding(closes);
  }

  responded(): void {
    this.#watch?.respond(sentStatus(this.stream) ?? 0, "", undefined, 0);
    // The stream of a HEAD has finished before.
    this.#checkComplete();
  }

  contentArrived(): void {
    this.#appTime.goOn(this.now);
  }

  failContent(fault: BodyError): void {
    this.#breakOff(fault);
  }

  // ---- for the session

  get current(): InFlightRequest | undefined {
    const call = this.#call;
    if (call === undefined || this.#isComplete) return undefined;
    const record = this.#watch?.record();
    return {
      ...call.name,
      age: performance.now() - this.#startedAt,
      remote: record?.remote ?? this.#session.context.peer.address,
      bytesReceived: this.#content?.size ?? 0,
      bytesSent: this.#sending.sent,
      ...(record && { record }),
    };
  }

  get isUpgraded(): boolean {
    return false;
  }

  progressed(bytes: number): void {
    this.#sending.sent += bytes;
  }

  standing(now: number): Standing | undefined {
    const content = this.#content?.lateness(now) ?? ON_TIME;
    return content.late > 0 ? { wait: "content", ...content } : this.#sending.standing(now);
  }

  checkDeadlines(passed: number): void {
    if (this.#content?.isLate(this.now, passed) === true) this.#breakOff(lateContent());
    const { timeouts, meter } = this.#owner.host.options;
    if (this.#appTime.isOver(passed))
      this.#breakOff(new HttpError(503, `no response within ${timeouts.request / 1000} s`));
    if (this.#sending.isStalled(this.now, passed)) {
      meter?.connectionFailed("write_timeout");
      this.#watch?.setReason("client-gone");
      this.#cut(constants.NGHTTP2_CANCEL);
    }
    this.#call?.checkKind();
  }

  abandon(): void {
    if (this.#visit?.isWaiting === true) {
      this.#visit.leave();
      this.#shed("draining");
    } else if (!this.#isComplete) this.#watch?.setReason("worker-exit");
  }

  logUnfinished(): void {
    this.#watch?.finish("worker-exit");
  }

  // ---- the end

  #checkComplete(): void {
    const { stream } = this;
    if (this.#isComplete || !stream.headersSent || !stream.writableFinished) return;
    if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR || this.#wasReset) return;
    this.#isComplete = true;
    this.#appTime.stop();
    this.#report();
    this.#watch?.finish("complete");
    this.#visit?.leave();
    this.#call?.ended(sentStatus(stream));
    // A request that was refused is no work: it must not bring the end of the worker nearer.
    if (this.#call !== undefined && this.#visit?.isShed !== true) this.#owner.host.onResponse();
    if (this.#call === undefined || this.#content?.isUnread === true) this.#discardContent();
  }

  get #wasReset(): boolean {
    return this.#session.wasResetByClient(this.stream.id ?? 0);
  }

  #report(): void {
    if (this.#watch !== undefined) reportSent(this.#watch, this.stream, this.#sending.sent);
  }

  /** Tells the client to stop sending content that nobody reads, once it has the response (RFC 9113 section 8.1). */
  #discardContent(): void {
    const { stream } = this;
    if (stream.destroyed || stream.readableEnded) return;
    if (this.#content !== undefined) this.#content.isDiscarded = !this.#content.received;
    stream.resume();
    setImmediate(() => {
      if (!stream.readableEnded) this.#cut(constants.NGHTTP2_NO_ERROR);
    });
  }

  #closed(): void {
    this.#call?.checkKind();
    this.#checkComplete();
    if (!this.#isComplete) {
      const { rstCode } = this.stream;
      const isProvoked = rstCode === constants.NGHTTP2_PROTOCOL_ERROR && !this.#wasReset;
      if (isProvoked) this.#watch?.setReason("refused", 400);
      this.#visit?.leave();
      this.#report();
      const isOurs = rstCode === constants.NGHTTP2_INTERNAL_ERROR && !this.#wasReset;
      this.#watch?.finish(isOurs ? "truncated" : "client-gone");
      this.#call?.fail(new ClientGone("the client closed the stream"));
      this.#call?.ended(sentStatus(this.stream));
      this.#call?.abandon();
    }
    this.#appTime.stop();
    this.#session.streamClosed(this);
  }
}
