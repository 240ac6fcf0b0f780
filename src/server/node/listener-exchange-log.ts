/**
 * The access log's view of one request on node's own server. It counts content by replacing the response's methods, so it
 * is created only if the access log is on.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { findField } from "../../http/field-picker.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { ExchangeLog, type LoggedClient } from "../exchange-log.ts";
import { parseRequestLine } from "../start-line.ts";
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

export class ListenerExchangeLog extends ExchangeLog {
  readonly id: string;
  readonly #socket: Socket;
  readonly #request: IncomingMessage | undefined;
  readonly #response: ServerResponse | undefined;
  readonly #written: WrittenContent | undefined;

  constructor(log: AccessLog, logged: LoggedRequest) {
    super(log, logged);
    const { socket, id, request, response, received = "" } = logged;
    this.#socket = socket;
    this.#request = request;
    this.#response = response;
    this.id = id;
    const parts = parseRequestLine(received);
    this.method = request?.method ?? parts[0];
    this.target = request?.url ?? parts[1];
    this.protocol = request === undefined ? parts[2] : `HTTP/${request.httpVersion}`;
    this.open(performance.now());
    this.#written = response && countContent(response);
  }

  /** Ends the exchange with the first bytes that the app sends on the bare connection, or when that closes. */
  watchUpgrade(socket: Duplex, onEnd: () => void): void {
    const { write, end } = socket;
    const check = (chunk: unknown): void => {
      if (!(typeof chunk === "string" || chunk instanceof Uint8Array) || chunk.length === 0) return;
      socket.write = write;
      socket.end = end;
      this.upgraded(chunk);
      onEnd();
    };
    socket.write = function (this: Duplex, ...args: Parameters<typeof write>) {
      check(args[0]);
      return write.apply(this, args);
    } as typeof write;
    socket.end = function (this: Duplex, ...args: Parameters<typeof end>) {
      check(args[0]);
      return end.apply(this, args);
    } as typeof end;
    socket.once("close", () => {
      this.finishCut();
      onEnd();
    });
  }

  /** Ends an exchange whose connection has closed before its response was complete. */
  finishCut(): void {
    this.finish(this.#clientClosed ? "client-gone" : "truncated");
  }

  get #clientClosed(): boolean {
    return this.#socket.readableEnded || this.#socket.errored != null;
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
