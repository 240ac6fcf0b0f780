/**
 * The exchange in progress on a connection: the host of its content and of its response, which decide together when it ends
 * and whether the connection is kept. The dispatcher begins it. It is a base class, not a part of the dispatcher, so that a
 * request costs no more objects and calls.
 */
import type { Duplex } from "node:stream";
import { BodyError } from "../../errors.ts";
import { respondToFault } from "../../exchange/content-fault.ts";
import type { ExchangeRequest } from "../../exchange/request.ts";
import type { GateVisit, ShedReason } from "../in-flight-gate.ts";
import { respondShed } from "../shed-response.ts";
import type { ContentHost, ExchangeConnection, ExchangeHost, ResponseHost } from "./contract.ts";
import type { EngineExchangeWatch } from "./engine-exchange-watch.ts";
import { type EngineResponse, ResponseSender } from "./engine-response.ts";
import type { IncomingBody } from "./incoming-body.ts";
import type { Input } from "./input.ts";
import type { Output } from "./output.ts";

export abstract class CurrentExchange implements ContentHost, ResponseHost {
  readonly input: Input;
  /** When the client must have sent more content, in the server's time. */
  contentDeadline = Number.POSITIVE_INFINITY;
  /** When the app must have responded, in the server's time. */
  protected requestDeadline = Number.POSITIVE_INFINITY;
  protected readonly connection: ExchangeConnection;
  protected readonly host: ExchangeHost;
  protected readonly output: Output;
  protected readonly sender: ResponseSender;
  protected readonly watch: EngineExchangeWatch | undefined;
  protected request: ExchangeRequest | undefined;
  protected response: EngineResponse | undefined;
  /** The content of the request; undefined if it has none. */
  protected body: IncomingBody | undefined;
  /** The handler's promise; undefined if it returned none. */
  protected running: Promise<unknown> | undefined;
  /** Whether the connection is kept after the exchange, as far as is known. */
  protected isKept = true;
  /** The client has said that it sends nothing after this request, all of which has arrived. */
  protected isLast = false;
  protected isUpgraded = false;
  /** Undefined if nothing bounds the requests in flight. */
  protected visit: GateVisit | undefined;

  constructor(
    connection: ExchangeConnection,
    host: ExchangeHost,
    output: Output,
    watch: EngineExchangeWatch | undefined,
  ) {
    this.input = connection.input;
    this.connection = connection;
    this.host = host;
    this.output = output;
    this.watch = watch;
    this.sender = new ResponseSender(this, output, watch);
  }

  /** True from the call of the app until the exchange ends. */
  get busy(): boolean {
    return this.response !== undefined;
  }

  /** True while input that arrives must be held. Only valid while `busy`. */
  get blocksInput(): boolean {
    const body = this.body;
    return body === undefined || body.received || (body.discarding && this.response?.complete !== true);
  }

  // ---- ContentHost

  get now(): number {
    return this.host.now;
  }

  get responseComplete(): boolean {
    return this.response?.complete === true;
  }

  get keepAlive(): boolean {
    return this.isKept;
  }

  disableKeepAlive(): void {
    this.isKept = false;
  }

  sendContinue(): void {
    if (this.response?.headSent === false) this.output.writeText("HTTP/1.1 100 Continue\r\n\r\n");
  }

  failContent(fault: BodyError): void {
    const body = this.body;
    const response = this.response;
    if (body === undefined || response === undefined) return;
    this.isKept = false;
    if (!response.complete) this.watch?.setReason(fault.status === 408 ? "timeout" : "refused");
    const isBeingRead = body.isBeingRead;
    if (isBeingRead) respondToFault(response, fault, () => this.running);
    body.fail(fault);
    if (response.complete) this.close();
    else if (!isBeingRead && !response.headSent) response.abort(fault);
  }

  close(): void {
    this.connection.close();
  }

  // ---- ResponseHost

  decideKeepAlive(): boolean {
    const body = this.body;
    if (body?.received === false && body.preventsKeepAlive) this.isKept = false;
    if (this.host.draining || this.host.full) this.isKept = false;
    if (this.host.shedding > 0 && this.isKept) {
      this.host.shedding -= 1;
      this.isKept = false;
    }
    return this.isKept;
  }

  upgrade(): Duplex {
    const running = this.running;
    this.forgetExchange();
    // The handler of an upgrade may run until the connection is closed.
    this.running = running;
    this.isUpgraded = true;
    const watch = this.watch;
    return this.connection.upgrade(watch && ((bytes) => watch.upgraded(bytes)));
  }

  responseSent(): void {
    if (this.response?.lost === true) this.abandonHandler();
    this.watch?.finish("complete");
    this.visit?.leave();
    // A request that was refused is no work: it must not bring the end of the worker nearer.
    if (this.visit?.isShed !== true) this.host.onResponse();
    const body = this.body;
    if (body === undefined || body.received) {
      this.endExchange();
    } else if (body.isStillRead) {
      // The app gets the rest of the content; the exchange ends with it.
      body.awaitContent();
    } else if (!this.isKept) {
      this.close();
    } else {
      // The rest of the content is discarded, up to a limit.
      body.body.fail(new BodyError(400, "the response was sent before the request body was read"));
      body.awaitContent();
      this.input.advance();
      this.input.resume();
    }
  }

  responseFailed(): void {
    this.connection.abort(this.sender.endsWithConnection);
  }

  // ---- the end of an exchange

  protected endExchange(): void {
    this.forgetExchange();
    if (this.isKept) this.connection.endExchange();
    else if (this.isLast) this.connection.finish();
    else this.close();
  }

  protected forgetExchange(): void {
    this.contentDeadline = Number.POSITIVE_INFINITY;
    this.requestDeadline = Number.POSITIVE_INFINITY;
    this.request = undefined;
    this.response = undefined;
    this.body = undefined;
    this.running = undefined;
    if (this.visit !== undefined) this.#endVisit();
  }

  #endVisit(): void {
    this.visit?.leave();
    this.visit = undefined;
  }

  /** Responds to a request that the app does not get, since there are too many. */
  protected shed(reason: ShedReason): void {
    this.watch?.reject(503, reason);
    respondShed(this.request, this.response, this.host.dress);
  }

  /** A request that waits will not be run: its client has gone, or the worker ends. */
  protected giveUpWaiting(clientGone: boolean): void {
    this.visit?.leave();
    this.isKept = false;
    if (!clientGone) this.shed("draining");
    else {
      this.watch?.setReason("client-gone");
      // The client may still read.
      respondShed(this.request, this.response, this.host.dress);
    }
  }

  /** Nobody waits for the handler any more. */
  protected abandonHandler(): void {
    if (this.running !== undefined) this.host.handlers.abandon(this.running);
  }
}
