/**
 * The requests that the listener has not answered yet: calls the listener, and ends what it leaves unfinished. A request
 * without content costs the exchange object, its async scope and one listener on the response.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import { BodyError, ClientGone, type HttpError, thrownError } from "../../errors.ts";
import { attributeToFault } from "../../exchange/content-fault.ts";
import { requestScope } from "../../exchange/scope.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import { ObservedRequest, requestsAreObserved } from "../request-channels.ts";
import { meterQueue, queueTimeOf } from "../request-start.ts";
import { RunningHandlers } from "../running-handlers.ts";
import type { InFlightRequest } from "../server.ts";
import type { TickClock } from "../tick-clock.ts";
import type { ListenerConnection } from "./listener-connection.ts";
import type { ListenerConnections } from "./listener-connections.ts";
import { ListenerExchange, lateContent } from "./listener-exchange.ts";
import { NodeHead } from "./node-head.ts";
import { limitContent, refusalOf } from "./node-limits.ts";
import type { NodeRequestWatch } from "./node-request-watch.ts";
import type { ServerEventsOptions } from "./node-server-options.ts";
import { brokenOff } from "./parser-error.ts";
import { readInScope } from "./reading-scope.ts";

export class ListenerExchanges {
  /** The listeners whose promise has not settled. */
  readonly handlers = new RunningHandlers();
  readonly #options: ServerEventsOptions;
  readonly #connections: ListenerConnections;
  readonly #requests: NodeRequestWatch | undefined;
  readonly #clock: TickClock;
  readonly #onFailedConnection: (connection: ListenerConnection) => void;
  /** The head of the request that is just beginning. */
  readonly #head = new NodeHead();
  /** The `close` listener of all responses. */
  readonly #onClose: (this: ServerResponse) => void;
  #completed = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #onDue: () => void = () => {};

  /** @param onFailedConnection called when an exchange ends on a connection that has failed meanwhile */
  constructor(
    options: ServerEventsOptions,
    connections: ListenerConnections,
    requests: NodeRequestWatch | undefined,
    clock: TickClock,
    onFailedConnection: (connection: ListenerConnection) => void,
  ) {
    this.#options = options;
    this.#connections = connections;
    this.#requests = requests;
    this.#clock = clock;
    this.#onFailedConnection = onFailedConnection;
    const end = (response: ServerResponse): void => this.#end(response);
    this.#onClose = function () {
      end(this);
    };
  }

  /** How many responses have been completed since the start. */
  get completed(): number {
    return this.#completed;
  }

  afterRequests(responses: number, then: () => void): void {
    this.#dueAt = this.#completed + responses;
    this.#onDue = then;
  }

  inFlight(): InFlightRequest[] {
    const now = performance.now();
    const exchanges = [...this.#all()].sort((a, b) => a.startedAt - b.startedAt);
    return exchanges.map((exchange) => {
      const record = exchange.watch?.record();
      return {
        ...exchange.name,
        age: now - exchange.startedAt,
        remote: record?.remote ?? exchange.request.socket.remoteAddress ?? "",
        bytesReceived: exchange.bytesReceived,
        ...(record && { record }),
      };
    });
  }

  *#all(): Generator<ListenerExchange> {
    for (const connection of this.#connections) yield* connection.exchanges();
  }

  /** Begins an exchange; undefined if the request was refused, which has been answered. */
  begin(request: IncomingMessage, response: ServerResponse): ListenerExchange | undefined {
    const { limits, timeouts, onHeadLimit } = this.#options;
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || !this.#connections.takes(connection)) {
      // Its content would fill the buffers, and the client would never read the response to an earlier request.
      request.resume();
      return undefined;
    }
    const startedAt = performance.now();
    const watch = this.#requests?.begin(request, response, startedAt);
    const exchange = new ListenerExchange(request, response, watch, timeouts, startedAt, this.#clock.now);
    connection.begin(exchange);
    // Not `once`, which costs each request a wrapper and its removal.
    response.on("close", this.#onClose);
    if (this.#connections.closesNext(connection)) exchange.closeAfter();
    const head = this.#head;
    const status = refusalOf(request, head, limits, onHeadLimit);
    if (status !== undefined) {
      exchange.expectContent();
      this.refuse(exchange, status);
      return undefined;
    }
    if (head.requestStart !== undefined) this.#measureQueue(connection, head.requestStart);
    if (head.hasContent) this.#expectContent(exchange, head.contentLength !== undefined);
    return exchange;
  }

  /** Responds to a request that the listener does not get, and takes no more from its connection. */
  refuse(exchange: ListenerExchange, status: number): void {
    const connection = this.#connections.get(exchange.request.socket);
    if (connection !== undefined) {
      connection.hasRefused = true;
      // Node calls it when the response is complete, and would reset the connection of a client that still sends.
      connection.socket.destroySoon = () => connection.refuse(this.#clock.now);
    }
    exchange.refuse(status);
  }

  /** @param value of X-Request-Start */
  #measureQueue(connection: ListenerConnection, value: string): void {
    const { meter, gate } = this.#options;
    // With a gate, the time ends when there is a place.
    if (meter === undefined || gate !== undefined) return;
    if (connection.isOf(this.#options.proxyRules)) meterQueue(meter, value);
  }

  /** @param sized whether the length is known, and so within the limit */
  #expectContent(exchange: ListenerExchange, sized: boolean): void {
    const { request } = exchange;
    const { body } = this.#options.limits;
    exchange.expectContent();
    readInScope(request);
    if (sized || body === Number.POSITIVE_INFINITY) return;
    limitContent(request, body, () => {
      this.#breakOff(exchange, new BodyError(413, `the content has more than ${body} bytes`));
    });
  }

  /** Calls the listener once there is a place for the request. */
  serve(exchange: ListenerExchange, listener: RequestListener): void {
    const { gate } = this.#options;
    if (gate === undefined) this.run(exchange, listener);
    else this.#serveGated(exchange, listener, gate);
  }

  #serveGated(exchange: ListenerExchange, listener: RequestListener, gate: InFlightGate): void {
    const { request, startedAt } = exchange;
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.isInternal || gate.spares(request.url ?? "")) {
      this.run(exchange, listener);
      return;
    }
    exchange.visit = gate.visit(startedAt, this.#waitedBefore(connection));
    exchange.visit.enter({
      run: () => {
        exchange.startTime = this.#clock.now;
        this.run(exchange, listener);
      },
      shed: (reason) => exchange.shed(reason),
      queued: (milliseconds) => this.#options.meter?.queued(milliseconds),
    });
  }

  /** Milliseconds that the request which is just beginning has waited in front, as a trusted proxy says. */
  #waitedBefore(connection: ListenerConnection): number | undefined {
    const value = this.#head.requestStart;
    return value !== undefined && connection.isOf(this.#options.proxyRules) ? queueTimeOf(value) : undefined;
  }

  /** Calls the listener. Its error or rejection fails this request only, not the worker. */
  run(exchange: ListenerExchange, listener: RequestListener): void {
    try {
      const { request, response } = exchange;
      const called = requestsAreObserved() ? observe(exchange, listener) : listener;
      const result: unknown = requestScope().runInAsyncScope(called, undefined, request, response);
      if (result instanceof Promise) this.#awaitListener(exchange, result);
    } catch (error) {
      this.#threw(exchange, error);
    }
  }

  #awaitListener(exchange: ListenerExchange, promise: Promise<unknown>): void {
    exchange.running = promise;
    this.handlers.begin();
    promise.then(this.handlers.settled, (thrown) => {
      this.#threw(exchange, thrown);
      this.handlers.settled();
    });
  }

  #threw(exchange: ListenerExchange, thrown: unknown): void {
    const { onError, describeError } = this.#options;
    const error = thrownError(thrown);
    const { request } = exchange;
    exchange.observed?.fail(error);
    if (request.destroyed && !request.complete) {
      // The client has been answered already; the listener most likely fails because its content broke off.
      onError(attributeToFault(error, brokenOff()), exchange.name);
      return;
    }
    onError(error, exchange.name);
    exchange.fail(describeError?.(error, request.headers.accept));
  }

  /** A response has closed, or an app emits `close` again. */
  #end(response: ServerResponse): void {
    const connection = this.#connections.get(response.req.socket);
    const exchange = connection?.remove(response);
    if (connection === undefined || exchange === undefined) return;
    exchange.visit?.leave();
    if (response.writableFinished) {
      exchange.watch?.finish("complete");
      exchange.observed?.end(response.statusCode);
      if (exchange.visit?.isShed !== true) this.countCompleted();
    } else {
      this.#cut(exchange);
    }
    this.#connections.exchangeEnded(connection, exchange);
    if (connection.failure !== undefined) this.#onFailedConnection(connection);
    else if (connection.afterwards !== undefined && !connection.inUse) connection.afterwards();
  }

  /** A request that was refused is no work: it must not bring the end of the worker nearer. */
  countCompleted(): void {
    this.#completed += 1;
    if (this.#completed === this.#dueAt) this.#onDue();
  }

  /** Ends an exchange without a complete response: its listener's further work has no client. */
  #cut(exchange: ListenerExchange): void {
    const { watch, running, observed, response } = exchange;
    exchange.visit?.leave();
    watch?.finishCut();
    observed?.fail(new ClientGone());
    observed?.end(response.headersSent ? response.statusCode : undefined);
    if (running !== undefined) this.handlers.abandon(running);
  }

  /** Ends the exchanges of a closed connection. Node emits no event on a response that waited behind another. */
  connectionClosed(connection: ListenerConnection): void {
    for (const exchange of connection.removeAll()) this.#cut(exchange);
  }

  /** Breaks off the exchanges whose content or response takes too long. Call on each tick. */
  checkOverdue(now: number): void {
    for (const exchange of this.#all()) {
      const error = exchange.overdue(now);
      if (error !== undefined) this.#breakOff(exchange, error);
    }
  }

  /** Breaks off an exchange whose content is late, to make room for other connections. */
  breakOffLate(exchange: ListenerExchange): void {
    this.#breakOff(exchange, lateContent());
  }

  #breakOff(exchange: ListenerExchange, error: HttpError): void {
    const connection = this.#connections.get(exchange.request.socket);
    if (connection === undefined || connection.refused) return;
    this.#options.onError(error, exchange.name);
    exchange.observed?.fail(error);
    exchange.breakOff(error, connection, this.#clock.now);
  }

  /**
   * Ends each connection with the response to the latest of its requests: those before it are answered as well. Where its
   * head has been sent, the client may send one more.
   */
  drain(): void {
    for (const connection of this.#connections) connection.last?.closeAfter();
  }

  /** Writes the access log lines of the exchanges that the process leaves unfinished. */
  logUnfinished(): void {
    for (const { watch } of this.#all()) watch?.finish("worker-exit");
  }

  /** Call before all connections are destroyed. */
  destroy(): void {
    this.#options.gate?.close();
    for (const { watch } of this.#all()) watch?.setReason("worker-exit");
    this.handlers.release();
  }
}

/** Wraps the listener of a request that is observed. */
function observe(exchange: ListenerExchange, listener: RequestListener): RequestListener {
  const { method, target, id } = exchange.name;
  const observed = new ObservedRequest(exchange.request, method, target, id);
  exchange.observed = observed;
  return (request, response) => observed.run(listener, undefined, request, response);
}
