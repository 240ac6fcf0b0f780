/**
 * The exchanges of one connection of the engine, one at a time, as they are counted and logged. A connection has one only
 * if they are.
 */
import type { ExchangeContext } from "../../exchange/request.ts";
import type { RequestHead } from "../../http/request-head.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import { ExchangeWatch } from "../exchange-watch.ts";
import { HTTP_1_0, HTTP_2, HTTPS, type RequestMeter } from "../request-meter.ts";

/** The fields of a response: lines ready to send, or alternating names and values. */
export type ResponseFields = string | readonly string[];

export interface EngineExchangeWatch extends ExchangeWatch {
  /** Content that has been sent. */
  readonly bytes: number;
  /** Starts an exchange. @param startedAt when its request arrived, as in `performance.now()` */
  begin(head: RequestHead, startedAt: number): void;
  /** Sets the request that the app was called with. */
  handOver(request: WatchedRequest): void;
  /** Sets what the head of the final response says; `length` is its Content-Length. @param bytes of content sent with it */
  respond(status: number, fields: ResponseFields, length: number | undefined, bytes: number): void;
  /** Content has been sent. */
  sent(content: string | Uint8Array): void;
  /** Ends a request that was refused and answered. @param received what had arrived, if its head was incomplete */
  refuse(status: number, received: string): void;
  /** Ends a request whose head will never be complete. @param received what had arrived of it */
  endIncomplete(received: string, end: RequestEnd): void;
}

/** A request, as far as it is logged. */
export interface WatchedRequest {
  readonly id: string;
  /** The id. @param field the value of X-Request-ID, if its sender is trusted */
  idFrom(field: string | undefined): string;
  /** The object that the app knows as the request, if that is another one: it has the route that the app names. */
  readonly counted?: object;
}

/** The bits of `RequestMeter`. */
export function protocolOf({ httpVersion }: RequestHead, scheme: ExchangeContext["scheme"]): number {
  const secure = scheme === "https" ? HTTPS : 0;
  if (httpVersion === "1.1") return secure;
  return (httpVersion === "1.0" ? HTTP_1_0 : HTTP_2) | secure;
}

/** Exchanges that are counted, but not logged. */
export class EngineExchangeMeter extends ExchangeWatch implements EngineExchangeWatch {
  bytes = 0;
  readonly #scheme: ExchangeContext["scheme"];
  #request: WatchedRequest | undefined;

  constructor(meter: RequestMeter, { scheme }: Pick<ExchangeContext, "scheme">) {
    super(meter);
    this.#scheme = scheme;
  }

  get id(): string | undefined {
    return this.#request?.id;
  }

  protected get counted(): object | undefined {
    return this.#request?.counted ?? this.#request;
  }

  begin(head: RequestHead, startedAt: number): void {
    this.openCounted(head.method, head.target, protocolOf(head, this.#scheme), startedAt);
    this.bytes = 0;
  }

  handOver(request: WatchedRequest): void {
    this.#request = request;
  }

  respond(status: number, _fields: ResponseFields, _length: number | undefined, bytes: number): void {
    this.status = status;
    this.bytes = bytes;
  }

  sent(content: string | Uint8Array): void {
    this.bytes += typeof content === "string" ? Buffer.byteLength(content) : content.length;
  }

  /** A kept connection must not keep the request. */
  protected override ended(): void {
    this.#request = undefined;
  }

  refuse(status: number): void {
    this.reject(status);
    this.finish("refused");
  }

  endIncomplete(_received: string, end: RequestEnd): void {
    if (end === "client-gone") this.neverWhole();
  }
}
