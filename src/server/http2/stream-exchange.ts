/**
 * One request and its response on a stream of HTTP/2: calls the app, passes it the content as it arrives, and fails it when
 * its time is over, its content is invalid or its client gone. The exchange ends when the response has been sent and the
 * content has arrived or is not wanted; its stream may live on until the client has read everything.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { BodyError, ClientGone, HttpError, RequestAborted } from "../../errors.ts";
import { respondToFault } from "../../exchange/content-fault.ts";
import { ExchangeRequest, type RequestClock } from "../../exchange/request.ts";
import { handlerFor, runHandler } from "../../exchange/run.ts";
import type { Handler } from "../../gateway/types.ts";
import { HeadLimitError } from "../../http/head-limit.ts";
import type { ConnectionContext } from "../connection-context.ts";
import { ON_TIME } from "../content-pace.ts";
import type { EngineExchangeWatch } from "../engine/engine-exchange-watch.ts";
import type { GateVisit, InFlightGate, ShedReason } from "../in-flight-gate.ts";
import type { Standing } from "../places/policy.ts";
import { observeHandler, requestsAreObserved } from "../request-channels.ts";
import { meterQueue, queueTimeOf, REQUEST_START } from "../request-start.ts";
import type { InFlightRequest } from "../server.ts";
import type { GatewaySessionHost } from "../session-server.ts";
import { respondShed } from "../shed-response.ts";
import { discardContent } from "./discarded-content.ts";
import { readHead, requestLineOf, type StreamHead } from "./request-head.ts";
import type { ArrivedHead, ExchangeSession, SessionExchange } from "./session-exchange.ts";
import { type BodyHost, StreamBody } from "./stream-body.ts";
import { type ResponseHost, StreamResponse, StreamSender } from "./stream-response.ts";
import { StreamSending } from "./stream-sending.ts";
import { StreamTunnel } from "./stream-tunnel.ts";

export class StreamExchange implements BodyHost, ResponseHost, RequestClock, SessionExchange {
  place = -1;
  readonly stream: ServerHttp2Stream;
  readonly #host: GatewaySessionHost;
  readonly #session: ExchangeSession<ConnectionContext>;
  readonly #watch: EngineExchangeWatch | undefined;
  #startedAt = 0;
  #requestDeadline = Number.POSITIVE_INFINITY;
  readonly #sending: StreamSending;
  /** Undefined if nothing bounds the requests in flight. */
  #visit: GateVisit | undefined;
  #request: ExchangeRequest | undefined;
  #sender: StreamSender | undefined;
  #response: StreamResponse | undefined;
  #hasContent = false;
  #body: StreamBody | undefined;
  #running: Promise<unknown> | undefined;
  #isUpgraded = false;

  constructor(
    host: GatewaySessionHost,
    session: ExchangeSession<ConnectionContext>,
    stream: ServerHttp2Stream,
  ) {
    this.#host = host;
    this.#session = session;
    this.stream = stream;
    this.#sending = new StreamSending(stream, host.options.timeouts);
    this.#watch = host.watchExchanges(session.context);
    // A stream that fails closes too.
    stream.on("error", () => {});
    stream.on("close", () => this.#closed());
  }

  begin({ fields, hasContent }: ArrivedHead): void {
    this.#startedAt = performance.now();
    this.#hasContent = hasContent;
    const host = this.#host;
    let head: StreamHead | undefined;
    try {
      head = readHead(fields, host.options.limits, hasContent);
      this.#watch?.begin(head, this.#startedAt);
      if (head.contentLength !== undefined && head.contentLength > host.options.limits.body)
        throw new HttpError(413, "the request body is too large");
      this.#call(head, hasContent);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (error instanceof HeadLimitError) host.options.onHeadLimit?.(error.limit);
      this.#refuse(error, fields, head);
    }
  }

  #call(head: StreamHead, hasContent: boolean): void {
    const host = this.#host;
    const { context } = this.#session;
    const { options } = host;
    // The stream of an upgrade carries no content, but the other protocol.
    this.#body =
      hasContent && !head.upgrade
        ? new StreamBody(this, this.stream, head.contentLength, options, head.expectContinue)
        : undefined;
    const request = new ExchangeRequest(head, context, this.#body?.body, this);
    const handler = handlerFor(request, host.handle, host.upgrade);
    this.#watch?.handOver(request);
    const { describeError: describe, gate, meter } = options;
    const { dress } = host;
    const traits = { headOnly: head.method === "HEAD", upgradable: head.upgrade };
    const sender = new StreamSender(this, this.stream, traits, this.#watch);
    this.#sender = sender;
    const response = new StreamResponse(
      sender,
      this,
      (error) => options.onError(error, request),
      describe && ((error) => describe(error, request.headers.accept)),
      dress && ((status, error) => dress({ status, error, request })),
    );
    this.#request = request;
    this.#response = response;
    const waited = head.timed && context.proxyRules !== undefined ? head.field(REQUEST_START) : undefined;
    if (gate === undefined && waited !== undefined && meter !== undefined) meterQueue(meter, waited);
    const run = (): void => this.#run(handler, request, response);
    if (gate === undefined || gate.spares(head.target)) run();
    else this.#enter(gate, waited, run);
  }

  #enter(gate: InFlightGate, waited: string | undefined, run: () => void): void {
    this.#visit = gate.visit(this.#startedAt, waited === undefined ? undefined : queueTimeOf(waited));
    this.#visit.enter({
      run,
      shed: (reason) => this.#shed(reason),
      queued: (milliseconds) => this.#host.options.meter?.queued(milliseconds),
    });
  }

  /** Responds to a request that the app does not get, since there are too many. */
  #shed(reason: ShedReason): void {
    this.#watch?.reject(503, reason);
    respondShed(this.#request, this.#response, this.#host.dress);
  }

  #run(handler: Handler, request: ExchangeRequest, response: StreamResponse): void {
    const host = this.#host;
    this.#requestDeadline = host.clock.now + host.options.timeouts.request;
    const called = requestsAreObserved() ? observeHandler(handler) : handler;
    const running = runHandler(called, request, response, this.#session.handlerSettled);
    if (running === undefined) return;
    this.#session.handlerBegan();
    if (this.#response === response || this.#isUpgraded) this.#running = running;
  }

  /** Responds to a request that is not passed to the app. */
  #refuse(error: HttpError, fields: readonly string[], head: StreamHead | undefined): void {
    const line = requestLineOf(fields);
    const headOnly = (head?.method ?? line).startsWith("HEAD");
    const sender = new StreamSender(this, this.stream, { headOnly, upgradable: false }, this.#watch);
    sender.refuse(error, this.#host.dress?.({ status: error.status, error, request: undefined }));
    this.#watch?.refuse(error.status, line);
    discardContent(this.stream);
  }

  // ---- for the session

  get current(): InFlightRequest | undefined {
    const request = this.#request;
    if (request === undefined || this.#response?.complete === true) return undefined;
    const { method, target, id } = request;
    const record = this.#watch?.record();
    return {
      method,
      target,
      id,
      age: performance.now() - this.#startedAt,
      remote: request.remote.address,
      bytesReceived: this.#body?.size ?? 0,
      ...(this.#watch && { bytesSent: this.#watch.bytes }),
      ...(record && { record }),
    };
  }

  get isUpgraded(): boolean {
    return this.#isUpgraded;
  }

  /** A frame with content of the response has been sent. */
  progressed(bytes: number): void {
    this.#sending.sent += bytes;
  }

  /** The client's next step, and how late it is with it; undefined if it is the app's turn, or nobody's. */
  standing(now: number): Standing | undefined {
    const content = this.#body?.received === false ? this.#body.pace.lateness(now) : ON_TIME;
    return content.late > 0 ? { wait: "content", ...content } : this.#sending.standing(now);
  }

  checkDeadlines(passed: number): void {
    if (this.#body !== undefined && this.#body.deadline <= passed) {
      this.#body.deadline = Number.POSITIVE_INFINITY;
      this.failContent(new BodyError(408, "the request body took too long to arrive"));
    }
    if (this.#requestDeadline <= passed) this.#requestTimedOut();
    this.#checkSending(passed);
  }

  #checkSending(passed: number): void {
    if (this.#isUpgraded || !this.#sending.isStalled(this.now, passed)) return;
    this.#host.options.meter?.connectionFailed("write_timeout");
    this.#watch?.setReason("client-gone");
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  #requestTimedOut(): void {
    this.#requestDeadline = Number.POSITIVE_INFINITY;
    const response = this.#response;
    if (response === undefined || response.headSent) return;
    this.#watch?.setReason("timeout");
    const late = `no response within ${this.#host.options.timeouts.request / 1000} s`;
    this.#request?.abort(new RequestAborted(`the request timed out: ${late}`));
    response.abort(new HttpError(503, late), this.#request?.abortReason);
  }

  extend(milliseconds: number): void {
    if (this.#requestDeadline !== Number.POSITIVE_INFINITY) this.#requestDeadline = this.now + milliseconds;
  }

  /** The worker exits: nobody gets a response any more. */
  abandon(): void {
    if (this.#visit?.isWaiting === true) {
      this.#visit.leave();
      this.#shed("draining");
    } else if (this.#response?.complete === false) {
      this.#watch?.setReason("worker-exit");
      this.#request?.abort(new RequestAborted("the worker is stopping immediately"));
    }
  }

  logUnfinished(): void {
    this.#watch?.finish("worker-exit");
  }

  // ---- BodyHost

  get now(): number {
    return this.#host.clock.now;
  }

  get responseComplete(): boolean {
    return this.#response?.complete === true;
  }

  /**
   * A stream that was reset, or lost its session, ends as well. `aborted` does not tell for HEAD, since node:http2 closes our
   * side of it at once, nor the code for a client that resets with NO_ERROR.
   */
  get isCutOff(): boolean {
    const { aborted, destroyed, rstCode, id } = this.stream;
    return aborted || destroyed || rstCode !== 0 || id === undefined || this.#session.wasResetByClient(id);
  }

  sendContinue(): void {
    const { stream } = this;
    if (this.#response?.headSent === false && !stream.destroyed && !stream.closed)
      stream.additionalHeaders({ ":status": 100 });
  }

  failContent(fault: BodyError): void {
    const body = this.#body;
    const response = this.#response;
    if (body === undefined || response === undefined || body.received) return;
    if (!response.complete) this.#watch?.setReason(fault.status === 408 ? "timeout" : "refused");
    const isBeingRead = body.isBeingRead;
    if (isBeingRead && !response.complete) respondToFault(response, fault, () => this.#running);
    body.fail(fault);
    if (response.complete) discardContent(this.stream);
    else if (!isBeingRead && !response.headSent) response.abort(fault);
  }

  contentReceived(): void {
    // The app cannot respond to a request that is still arriving: its time starts with the last of the content.
    if (this.#requestDeadline === Number.POSITIVE_INFINITY) return;
    const deadline = this.now + this.#host.options.timeouts.request;
    if (deadline > this.#requestDeadline) this.#requestDeadline = deadline;
  }

  // ---- ResponseHost

  responding(closes: boolean): void {
    this.#session.responding(closes);
  }

  responseSent(): void {
    this.#requestDeadline = Number.POSITIVE_INFINITY;
    if (this.#response?.lost === true) this.#abandonHandler();
    this.#watch?.finish("complete");
    this.#visit?.leave();
    // A request that was refused is no work: it must not bring the end of the worker nearer.
    if (this.#visit?.isShed !== true) this.#host.onResponse();
    this.#checkSending(Number.NEGATIVE_INFINITY);
    const body = this.#body;
    if (body === undefined) {
      // Ended before its response has been written, a stream is destroyed with an error, which Node makes for each.
      if (this.#hasContent || this.#sender?.isWhole !== true) discardContent(this.stream);
    } else if (!body.isStillRead) {
      if (!body.received)
        body.body.fail(new BodyError(400, "the response was sent before the request body was read"));
      discardContent(this.stream);
    }
  }

  responseFailed(): void {
    this.#watch?.finish(this.stream.destroyed ? "client-gone" : "truncated");
  }

  upgrade(fields: string[] | undefined): Duplex {
    this.#requestDeadline = Number.POSITIVE_INFINITY;
    this.#isUpgraded = true;
    this.#body = undefined;
    return new StreamTunnel(this.stream, fields, (status) => {
      this.#watch?.respond(status, [], undefined, 0);
      this.#watch?.finish(status < 300 ? "upgraded" : "complete");
    });
  }

  // ---- the end

  #closed(): void {
    const response = this.#response;
    const pending = response?.complete === false ? this.#request : undefined;
    const isCutOff = pending !== undefined || this.#body?.received === false || this.#isUpgraded;
    // An error costs half as much as a small request, and most streams end well.
    const gone = isCutOff ? this.#endReason() : undefined;
    if (gone !== undefined && this.#body?.received === false) {
      this.#body.fail(new BodyError(400, gone.message, { cause: gone }));
    }
    if (gone !== undefined) response?.abandon(gone);
    this.#watch?.finish("client-gone");
    this.#visit?.leave();
    if (pending !== undefined || this.#isUpgraded) this.#abandonHandler();
    this.#requestDeadline = Number.POSITIVE_INFINITY;
    this.#session.streamClosed(this);
    // Last: a listener of the app may respond, and must find nothing to respond to.
    if (gone !== undefined) pending?.abort(gone);
  }

  /** node:http2 resets a stream whose content contradicts its length, or that breaks the protocol. */
  #endReason(): Error {
    const { rstCode, id } = this.stream;
    const isProvoked = rstCode === constants.NGHTTP2_PROTOCOL_ERROR && id !== undefined;
    if (isProvoked && !this.#session.wasResetByClient(id)) {
      this.#watch?.setReason("refused", 400);
      return new BodyError(400, "the content contradicts its declared length or breaks the protocol");
    }
    return new ClientGone("the client closed the stream");
  }

  #abandonHandler(): void {
    if (this.#running !== undefined) this.#host.handlers.abandon(this.#running);
  }
}
