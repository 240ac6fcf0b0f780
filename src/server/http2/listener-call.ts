/** The call of a node listener for one request of HTTP/2: its promise, its errors, and the instrumentation around it. */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Readable, Stream } from "node:stream";
import { AppNotCalled, thrownError } from "../../errors.ts";
import { attributeToFault } from "../../exchange/content-fault.ts";
import { forwardedId } from "../../exchange/forwarded.ts";
import { ID_FIELD } from "../../exchange/request.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import { requestScope } from "../../exchange/scope.ts";
import type { WatchedRequest } from "../engine/engine-exchange-watch.ts";
import type { ListenerContext, ListenerSessionHost } from "../node/listener-session-host.ts";
import { brokenOff } from "../node/parser-error.ts";
import { ObservedRequest, requestsAreObserved } from "../request-channels.ts";
import { CompatRequest } from "./compat-request.ts";
import { CompatResponse } from "./compat-response.ts";
import { type Answer, answerOf } from "./listener-answer.ts";
import type { StreamHead } from "./request-head.ts";
import type { ExchangeSession } from "./session-exchange.ts";
import { shield } from "./shield.ts";

/** The exchange, to the call. */
export interface CallHost {
  /** The listener has thrown or rejected: `answer` is for the client, if it has no response yet. */
  listenerFailed(answer: Answer): void;
  /** The app cannot be served by HTTP/2. */
  requireHttp1(): void;
}

interface CallParts {
  readonly host: ListenerSessionHost;
  readonly head: StreamHead;
  readonly request: CompatRequest;
  readonly response: CompatResponse;
}

export class ListenerCall implements WatchedRequest {
  readonly request: CompatRequest;
  readonly response: CompatResponse;
  readonly #exchange: CallHost;
  readonly #host: ListenerSessionHost;
  readonly #head: StreamHead;
  readonly #session: ExchangeSession<ListenerContext>;
  #id: string | undefined;
  #running: Promise<unknown> | undefined;
  #observed: ObservedRequest | undefined;
  #isAlien = false;

  constructor(
    exchange: CallHost,
    { host, head, request, response }: CallParts,
    session: ExchangeSession<ListenerContext>,
  ) {
    this.#exchange = exchange;
    this.#host = host;
    this.#head = head;
    this.request = request;
    this.response = response;
    this.#session = session;
  }

  // ---- WatchedRequest

  get id(): string {
    if (this.#id !== undefined) return this.#id;
    const isTrusted = this.#session.context.proxyRules !== undefined;
    return this.idFrom(isTrusted ? this.#head.field(ID_FIELD) : undefined);
  }

  idFrom(field: string | undefined): string {
    const { proxyRules } = this.#session.context;
    this.#id ??= (proxyRules && forwardedId(field, proxyRules)) ?? requestId(nextRequestNumber());
    return this.#id;
  }

  /** Has the route that the app names. */
  get counted(): object {
    return this.request;
  }

  get name(): { method: string; target: string; id: string } {
    const { method, target } = this.#head;
    return { method, target, id: this.id };
  }

  /** Calls the listener. Its error or rejection fails this request only, not the worker. */
  run(): void {
    // The classes of HTTP/2 stand in for those of HTTP/1.1.
    const request = this.request as unknown as IncomingMessage;
    const response = this.response as unknown as ServerResponse;
    try {
      const { listener } = this.#host;
      const called = requestsAreObserved() ? this.#observe(listener, request) : listener;
      const result: unknown = requestScope().runInAsyncScope(called, undefined, request, response);
      if (result instanceof Promise) this.#await(result);
    } catch (error) {
      this.#threw(error);
    }
  }

  #observe(listener: RequestListener, request: IncomingMessage): RequestListener {
    const { method, target, id } = this.name;
    const observed = new ObservedRequest(request, method, target, id);
    this.#observed = observed;
    return (...both) => observed.run(listener, undefined, ...both);
  }

  #await(promise: Promise<unknown>): void {
    this.#running = promise;
    this.#session.handlerBegan();
    const settled = (): void => {
      this.checkKind();
      this.#session.handlerSettled();
    };
    promise.then(settled, (thrown) => {
      this.#threw(thrown);
      this.#session.handlerSettled();
    });
  }

  #threw(thrown: unknown): void {
    const { onError, describeError } = this.#host.options;
    const error = thrownError(thrown);
    const { request } = this;
    this.#observed?.fail(error);
    this.checkKind();
    if (request.destroyed && !request.readableEnded) {
      // The client has been answered already; the listener most likely fails because its content broke off.
      onError(attributeToFault(error, brokenOff()), this.name);
      return;
    }
    onError(error, this.name);
    if (!this.isServed || this.response.writableEnded) return;
    const content = describeError?.(error, request.headers.accept);
    this.#exchange.listenerFailed({ ...answerOf(500), ...content });
  }

  /** Whether the request is still what the app was given. */
  get isServed(): boolean {
    return this.request instanceof CompatRequest;
  }

  /**
   * Detects an app that gives the request another prototype, as Express does: it would lose all that it is. Nothing would
   * be sent then, or an error come from anywhere.
   */
  checkKind(): void {
    if (this.#isAlien || this.isServed) return;
    this.#isAlien = true;
    shield(this.request, CompatRequest.prototype, Readable.prototype);
    shield(this.response, CompatResponse.prototype, Stream.prototype);
    this.#exchange.requireHttp1();
    this.#host.options.onError(
      new AppNotCalled(
        "the listener changes the prototype of its requests, as Express does, and cannot serve HTTP/2: clients get " +
          "HTTP_1_1_REQUIRED from now on; start with --http-protocols h1",
      ),
      this.name,
    );
    this.#exchange.listenerFailed(answerOf(500));
  }

  // ---- the end

  fail(error: Error): void {
    this.#observed?.fail(error);
  }

  ended(status: number | undefined): void {
    this.#observed?.end(status);
  }

  /** Nobody waits for the listener any more. */
  abandon(): void {
    if (this.#running !== undefined) this.#host.handlers.abandon(this.#running);
  }
}
