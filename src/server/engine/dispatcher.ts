/**
 * The exchanges of one connection, one at a time: calls the app with each request, passes it the content as it arrives, and
 * fails it when its time is over, its content is invalid or its client gone. One dispatcher serves all requests of its
 * connection; contract.ts describes how the parts work together.
 */
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import { BodyError, ClientGone, HttpError, RequestAborted } from "../../errors.ts";
import { type ExchangeContext, ExchangeRequest, type RequestClock } from "../../exchange/request.ts";
import { handlerFor, runHandler } from "../../exchange/run.ts";
import type { Handler } from "../../gateway/types.ts";
import type { RequestHead } from "../../http/request-head.ts";
import type { RequestParserEvents } from "../../http/request-parser.ts";
import type { ContentPace } from "../content-pace.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import { observeHandler, requestsAreObserved } from "../request-channels.ts";
import { meterQueue, queueTimeOf, REQUEST_START } from "../request-start.ts";
import type { CurrentRequest, ExchangeConnection, ExchangeHost } from "./contract.ts";
import { CurrentExchange } from "./current-exchange.ts";
import type { EngineExchangeWatch } from "./engine-exchange-watch.ts";
import { EngineResponse } from "./engine-response.ts";
import { IncomingBody } from "./incoming-body.ts";
import type { Output } from "./output.ts";

export class Dispatcher extends CurrentExchange implements RequestParserEvents, RequestClock {
  readonly #context: ExchangeContext;
  /** Undefined if nothing bounds the requests of this connection. */
  readonly #gate: InFlightGate | undefined;
  #startedAt = 0;
  /** Requests that have arrived on this connection. */
  #requests = 0;

  constructor(
    connection: ExchangeConnection,
    host: ExchangeHost,
    context: ExchangeContext,
    output: Output,
    watch: EngineExchangeWatch | undefined,
    gate: InFlightGate | undefined,
  ) {
    super(connection, host, output, watch);
    this.#context = context;
    this.#gate = gate;
  }

  get current(): CurrentRequest | undefined {
    if (this.request === undefined) return undefined;
    const record = this.watch?.record();
    return {
      request: this.request,
      startedAt: this.#startedAt,
      bytesReceived: this.body?.size ?? 0,
      ...(this.watch && { bytesSent: this.watch.bytes }),
      ...(record && { record }),
    };
  }

  /** Whether a request has arrived on this connection. */
  get served(): boolean {
    return this.#requests > 0;
  }

  /** How fast the content of the request arrives; undefined if none is to come. */
  get contentPace(): ContentPace | undefined {
    return this.body?.received === false ? this.body.pace : undefined;
  }

  // ---- RequestParserEvents

  onHead(head: RequestHead): void {
    const host = this.host;
    const options = host.options;
    this.connection.beginExchange();
    this.#startedAt = performance.now();
    this.watch?.begin(head, this.#startedAt);
    this.sender.startResponse(head.method, head.httpVersion, head.upgrade && head.contentLength === 0);
    this.#requests += 1;
    this.isKept =
      head.keepAlive &&
      head.method !== "CONNECT" &&
      options.timeouts.keepAlive > 0 &&
      this.#requests !== options.connectionRequests;
    // With content, some clients send a line end more (RFC 9112 section 2.2).
    this.isLast = !head.keepAlive && head.contentLength === 0 && head.method !== "CONNECT";
    if (head.contentLength !== undefined && head.contentLength > options.limits.body) {
      throw new HttpError(413, "the request body is too large");
    }
    this.body =
      head.contentLength === 0
        ? undefined
        : new IncomingBody(this, head.contentLength, options, head.expectContinue);
    const request = new ExchangeRequest(head, this.#context, this.body?.body, this);
    const gate = this.#gate;
    if (head.timed && gate === undefined) this.#measureQueue(head);
    const handler = handlerFor(request, host.handle, host.upgrade);
    this.watch?.handOver(request);
    const { describeError: describe } = options;
    const { dress } = host;
    const response = new EngineResponse(
      this.sender,
      (error) => options.onError(error, request),
      describe && ((error) => describe(error, request.headers.accept)),
      dress && ((status, error) => dress({ status, error, request })),
    );
    this.request = request;
    this.response = response;
    if (gate === undefined || gate.spares(head.target)) this.#call(handler, request, response);
    else this.#enter(gate, head, () => this.#call(handler, request, response));
  }

  #call(handler: Handler, request: ExchangeRequest, response: EngineResponse): void {
    const { host } = this;
    this.requestDeadline = host.now + host.options.timeouts.request;
    const called = requestsAreObserved() ? observeHandler(handler) : handler;
    const running = runHandler(called, request, response, host.handlers.settled);
    if (running === undefined) return;
    host.handlers.begin();
    if (this.response === response || this.isUpgraded) this.running = running;
  }

  #enter(gate: InFlightGate, head: RequestHead, run: () => void): void {
    const hasWaited = head.timed && this.#context.proxyRules !== undefined;
    this.visit = gate.visit(this.#startedAt, hasWaited ? queueTimeOf(head.field(REQUEST_START)) : undefined);
    this.visit.enter({
      run,
      shed: (reason) => this.shed(reason),
      queued: (milliseconds) => this.host.options.meter?.queued(milliseconds),
    });
  }

  #measureQueue(head: RequestHead): void {
    const { meter } = this.host.options;
    if (meter === undefined || this.#context.proxyRules === undefined) return;
    meterQueue(meter, head.field(REQUEST_START));
  }

  extend(milliseconds: number): void {
    if (this.requestDeadline !== Number.POSITIVE_INFINITY)
      this.requestDeadline = this.host.now + milliseconds;
  }

  onBody(chunk: Uint8Array): void {
    if (this.response === undefined) return;
    // The app cannot respond to a request that is still arriving: its time restarts with each piece of content.
    if (this.requestDeadline !== Number.POSITIVE_INFINITY) this.#restartRequestTimeout();
    this.body?.receive(chunk);
  }

  #restartRequestTimeout(): void {
    const deadline = this.host.now + this.host.options.timeouts.request;
    // `extend` may have given it longer.
    if (deadline > this.requestDeadline) this.requestDeadline = deadline;
  }

  onEnd(rawTrailers: string[]): void {
    if (this.body === undefined || this.body.received) return;
    this.body.end(rawTrailers);
    if (this.response?.complete === true) this.endExchange();
  }

  // ---- for the connection

  /** Responds to an invalid or late request. @param received what arrived of the head, if that is incomplete */
  refuse(error: HttpError, received: string, hasHead: boolean): void {
    if (this.response !== undefined) {
      this.#failRequest(error);
      return;
    }
    this.isKept = false;
    const dressed = this.host.dress?.({ status: error.status, error, request: undefined });
    this.sender.refuse(error, hasHead && this.sender.headOnly, dressed);
    this.watch?.refuse(error.status, received);
    this.close();
  }

  /** The rest of the request is invalid, missing or late. */
  #failRequest(error: HttpError): void {
    const cause = this.input.ended ? new ClientGone(error.message) : error;
    this.failContent(new BodyError(error.status, error.message, { cause }));
  }

  /**
   * Aborts the request's signal unless the response is complete: nobody waits for it any more.
   * @param reason makes the error: most connections close without a request, and its stack costs as much as a response
   */
  abort(reason: () => Error): void {
    if (this.response?.complete !== false) return;
    const error = reason();
    if (this.visit?.isWaiting === true) {
      this.giveUpWaiting(error instanceof ClientGone);
      return;
    }
    this.watch?.setReason(error instanceof ClientGone ? "client-gone" : "worker-exit");
    this.request?.abort(error);
  }

  /** Sends a probe that does not affect the response in progress; false if none can be sent now. */
  probe(): boolean {
    // Pending output is a probe itself.
    if (this.response?.complete !== false || this.output.pending) return false;
    return this.sender.probe(this.response.headSent);
  }

  checkDeadlines(passed: number): void {
    if (this.contentDeadline <= passed) this.failLateContent();
    if (this.requestDeadline <= passed) this.#requestTimedOut();
  }

  failLateContent(): void {
    this.contentDeadline = Number.POSITIVE_INFINITY;
    this.#failRequest(new HttpError(408, "the request body took too long to arrive"));
  }

  /** A response whose head has been sent may go on: the output's own timeout watches it. */
  #requestTimedOut(): void {
    this.requestDeadline = Number.POSITIVE_INFINITY;
    const response = this.response;
    if (response === undefined || response.headSent) return;
    this.isKept = false;
    this.watch?.setReason("timeout");
    const late = `no response within ${this.host.options.timeouts.request / 1000} s`;
    this.request?.abort(new RequestAborted(`the request timed out: ${late}`));
    response.abort(new HttpError(503, late), this.request?.abortReason);
  }

  /** The connection closes after the response: content that has not arrived never will. */
  connectionClosing(): void {
    this.body?.body.fail(
      new BodyError(400, "the connection was closed before the request body was complete"),
    );
    this.forgetExchange();
  }

  /** The connection is gone. Returns how to abort a request that has no complete response. */
  connectionClosed(): (() => void) | undefined {
    const response = this.response;
    const reason = response && (this.request?.abortReason ?? new ClientGone());
    if (reason !== undefined && this.body?.received === false) {
      this.body.fail(new BodyError(400, reason.message, { cause: reason }));
    }
    const pending = response?.complete === false ? this.request : undefined;
    if (reason !== undefined) response?.abandon(reason);
    this.watch?.finish("client-gone");
    if (pending !== undefined || this.isUpgraded) this.abandonHandler();
    this.forgetExchange();
    return pending && (() => pending.abort(reason as Error));
  }
}
