/**
 * The access log's view of one request on node's own server. It counts content by replacing the response's methods, so it
 * is created only if the access log is on.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { findField } from "../../http/field-picker.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { ExchangeLog, type LoggedClient } from "../exchange-log.ts";
import type { RequestMeter } from "../request-meter.ts";
import { parseRequestLine } from "../start-line.ts";
import { cutBy, type ListenerExchangeWatch, protocolOf } from "./listener-exchange-watch.ts";
import { countContent, type WrittenContent } from "./written-content.ts";

/** The known parts of a request. If node's parser refused it, only `received` is. */
export interface LoggedRequest extends LoggedClient {
  readonly socket: Socket;
  readonly id: string;
  readonly request?: IncomingMessage;
  readonly response?: ServerResponse;
  /** Latin-1. */
  readonly received?: string;
}

export class ListenerExchangeLog extends ExchangeLog implements ListenerExchangeWatch {
  readonly id: string;
  readonly #socket: Socket;
  readonly #request: IncomingMessage | undefined;
  readonly #response: ServerResponse | undefined;
  readonly #written: WrittenContent | undefined;

  /** @param startedAt when the request arrived, as in `performance.now()` */
  constructor(log: AccessLog, logged: LoggedRequest, meter: RequestMeter | undefined, startedAt: number) {
    super(log, logged, meter);
    const { socket, id, request, response, received = "" } = logged;
    this.#socket = socket;
    this.#request = request;
    this.#response = response;
    this.id = id;
    if (request === undefined) {
      this.open(startedAt);
      [this.method, this.target, this.protocol] = parseRequestLine(received);
    } else {
      const { method = "", url = "", httpVersion } = request;
      this.openCounted(method, url, protocolOf(request), startedAt);
      this.target = url;
      this.protocol = `HTTP/${httpVersion}`;
    }
    this.#written = response && countContent(response);
  }

  protected get counted(): object | undefined {
    return this.#request;
  }

  finishCut(): void {
    this.finish(cutBy(this.#socket));
  }

  protected override measure(end: RequestEnd): void {
    const response = this.#response;
    if (response?.headersSent === true) this.status = response.statusCode;
    const bare = this.method === "HEAD" || this.status === 204 || this.status === 304;
    this.bytes = bare ? 0 : (this.#written?.bytes ?? 0);
    super.measure(end);
  }

  requestField(name: string): string | undefined {
    const value = this.#request?.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** Reads fields that were passed to `writeHead` from the head as sent: node keeps them nowhere else. */
  responseField(name: string): string | undefined {
    const value = this.#response?.getHeader(name);
    if (value !== undefined) return Array.isArray(value) ? value.join(", ") : String(value);
    const head = (this.#response as { _header?: string | null } | undefined)?._header ?? "";
    return findField(head.slice(head.indexOf("\r\n") + 2), name);
  }
}
