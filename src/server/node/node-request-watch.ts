/**
 * Counts the requests of node's server: each exchange, and the requests without a response object, which node's parser
 * refuses or which change protocols. The access log extends it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import type { KnownEndpoints } from "../../exchange/endpoint.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { RejectReason } from "../../scoreboard/metrics.ts";
import { type RequestMeter, rejectReason } from "../request-meter.ts";
import {
  ListenerExchangeMeter,
  type ListenerExchangeWatch,
  watchUpgrade,
} from "./listener-exchange-watch.ts";
import { isEarlyEnd, isReset, type ParserError, statusOf } from "./parser-error.ts";

/** The requests of a connection when it fails. */
export interface FailedRequests {
  /** The request whose content was still arriving. */
  readonly exchange: ListenerExchangeWatch | undefined;
  /** Whether part of a further request has arrived. */
  readonly hasNext: boolean;
  /** Whether the error's bytes hold nothing but the failed request. Content of an earlier request must not be logged. */
  readonly alone: boolean;
}

export interface NodeRequestWatch {
  /** A client has connected. */
  connected(socket: Socket, known: KnownEndpoints): void;
  /** A request has arrived. @param startedAt when, as in `performance.now()` */
  begin(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    startedAt: number,
  ): ListenerExchangeWatch;
  /** The app is given the connection of a request. Returns the request's id, if it has one. */
  upgrading(request: IncomingMessage, socket: Duplex): string | undefined;
  /** An upgrade was refused. @param reason default: that of the status */
  refusedUpgrade(request: IncomingMessage, status: number, reason?: RejectReason): void;
  /** A connection failed, with an error of node's parser or of the socket. */
  failed(error: ParserError, socket: Socket, requests: FailedRequests): void;
  /** The process ends: upgrades that the app has not answered never will be. */
  finish(): void;
}

/** The base of counting and of logging. */
export abstract class NodeRequests implements NodeRequestWatch {
  protected readonly meter: RequestMeter | undefined;
  /** Upgrades that the app has not answered yet. */
  readonly #upgrading = new Set<ListenerExchangeWatch>();

  constructor(meter: RequestMeter | undefined) {
    this.meter = meter;
  }

  abstract connected(socket: Socket, known: KnownEndpoints): void;
  abstract begin(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    startedAt: number,
  ): ListenerExchangeWatch;
  /** A request was refused before its head was whole. */
  protected abstract refused(error: ParserError, socket: Socket, end: RequestEnd, alone: boolean): void;

  upgrading(request: IncomingMessage, socket: Duplex): string | undefined {
    const watch = this.begin(request, undefined, performance.now());
    this.#upgrading.add(watch);
    watchUpgrade(watch, socket, () => this.#upgrading.delete(watch));
    return watch.id;
  }

  refusedUpgrade(request: IncomingMessage, status: number, reason?: RejectReason): void {
    const watch = this.begin(request, undefined, performance.now());
    watch.reject(status, reason);
    watch.setReason("refused", status);
    watch.finish("refused");
  }

  failed(error: ParserError, socket: Socket, { exchange, hasNext, alone }: FailedRequests): void {
    const status = statusOf(error);
    const end = endOf(error, status, exchange !== undefined);
    if (exchange !== undefined) exchange.setReason(end, status);
    else if (hasNext) {
      this.#count(end, status);
      this.refused(error, socket, end, alone);
    }
  }

  #count(end: RequestEnd, status: number): void {
    const reason = rejectReason(status);
    if (end === "client-gone") this.meter?.connectionFailed("incomplete_head");
    else if (reason === undefined) this.meter?.connectionFailed("head_timeout");
    else this.meter?.rejected(reason);
  }

  finish(): void {
    for (const watch of this.#upgrading) watch.finish("worker-exit");
  }
}

function endOf(error: ParserError, status: number, inContent: boolean): RequestEnd {
  if (status === 408) return "timeout";
  return isReset(error) || (inContent && isEarlyEnd(error)) ? "client-gone" : "refused";
}

/** Requests that are counted, but not logged. */
export class NodeRequestMeter extends NodeRequests {
  declare protected readonly meter: RequestMeter;

  constructor(meter: RequestMeter) {
    super(meter);
  }

  connected(): void {}

  begin(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    startedAt: number,
  ): ListenerExchangeWatch {
    return new ListenerExchangeMeter(this.meter, request, response, startedAt);
  }

  protected refused(): void {}
}
