/**
 * The access log's view of one request that node's own server answers. It counts what the app writes by standing
 * before the response's methods, so it is made only where the access log is on.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { Endpoint } from "../../gateway/types.ts";
import { fieldIn } from "../../http/field-picker.ts";
import type { RecordedRequest } from "../../ipc/stall-report.ts";
import { type AccessEntry, CLIENT_GONE, NO_ANSWER, type RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { parseRequestLine, parseStatus } from "../start-line.ts";

/** What is known of a request; of one that node's parser refused, only what was read of it. */
export interface LoggedRequest {
  readonly socket: Socket;
  readonly peer: Endpoint;
  /** Finds the client behind the peer; undefined where the peer is not trusted. */
  readonly clients: ForwardedClients | undefined;
  readonly id: string;
  readonly request?: IncomingMessage;
  readonly response?: ServerResponse;
  /** Latin-1. */
  readonly received?: string;
}

export class NodeExchangeLog implements AccessEntry {
  readonly method: string;
  readonly target: string;
  readonly protocol: string;
  readonly id: string;
  status = 0;
  bytes = 0;
  time = 0;
  duration = 0;
  end: RequestEnd = "complete";
  readonly #log: AccessLog;
  readonly #socket: Socket;
  readonly #peer: Endpoint;
  readonly #clients: ForwardedClients | undefined;
  readonly #request: IncomingMessage | undefined;
  readonly #response: ServerResponse | undefined;
  readonly #startedAt = performance.now();
  #written = 0;
  #open = true;
  #reason: RequestEnd | undefined;

  constructor(log: AccessLog, logged: LoggedRequest) {
    const { socket, peer, clients, id, request, response, received = "" } = logged;
    this.#log = log;
    this.#socket = socket;
    this.#request = request;
    this.#response = response;
    this.id = id;
    this.#peer = peer;
    this.#clients = clients;
    const parts = parseRequestLine(received);
    this.method = request?.method ?? parts[0];
    this.target = request?.url ?? parts[1];
    this.protocol = request === undefined ? parts[2] : `HTTP/${request.httpVersion}`;
    if (response !== undefined) this.#count(response);
  }

  /** Content is counted where the app hands it over. */
  #count(response: ServerResponse): void {
    const { write, end } = response;
    const add = (chunk: unknown, encoding: unknown): void => {
      if (typeof chunk === "string") this.#written += Buffer.byteLength(chunk, encodingOf(encoding));
      else if (chunk instanceof Uint8Array) this.#written += chunk.length;
    };
    response.write = function (this: ServerResponse, ...args: Parameters<typeof write>) {
      add(args[0], args[1]);
      return write.apply(this, args);
    } as typeof write;
    response.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
      add(args[0], args[1]);
      return end.apply(this, args);
    } as typeof end;
  }

  /** The app has the bare connection: what it sends first tells how it answers. */
  watchUpgrade(socket: Duplex, done: () => void): void {
    const { write, end } = socket;
    const look = (chunk: unknown): void => {
      if (!(typeof chunk === "string" || chunk instanceof Uint8Array) || chunk.length === 0) return;
      socket.write = write;
      socket.end = end;
      this.status = parseStatus(chunk) ?? 101;
      this.finish(this.status < 300 ? "upgraded" : "complete");
      done();
    };
    socket.write = function (this: Duplex, ...args: Parameters<typeof write>) {
      look(args[0]);
      return write.apply(this, args);
    } as typeof write;
    socket.end = function (this: Duplex, ...args: Parameters<typeof end>) {
      look(args[0]);
      return end.apply(this, args);
    } as typeof end;
    socket.once("close", () => {
      this.finishCut();
      done();
    });
  }

  /** Why it will end, if it does not end well. The first reason stands. */
  because(reason: RequestEnd, status = 0): void {
    this.#reason ??= reason;
    if (this.status === 0) this.status = status;
  }

  /** The connection has closed before the answer was complete. */
  finishCut(): void {
    this.finish(this.#clientClosed ? "client-gone" : "truncated");
  }

  get #clientClosed(): boolean {
    return this.#socket.readableEnded || this.#socket.errored != null;
  }

  /** The request is over: its line is written, unless it has been. */
  finish(end: RequestEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.#measure(this.#reason ?? end);
    this.#log.write(this);
  }

  /** For a worker that is stuck: the request as it is now. */
  record(): RecordedRequest {
    this.#measure("complete");
    return this.#log.record(this);
  }

  #measure(end: RequestEnd): void {
    this.duration = performance.now() - this.#startedAt;
    this.time = Date.now() - this.duration;
    this.end = end;
    const response = this.#response;
    if (response?.headersSent === true) this.status = response.statusCode;
    const bare = this.method === "HEAD" || this.status === 204 || this.status === 304;
    this.bytes = bare ? 0 : this.#written;
    if (this.status !== 0 || end === "complete") return;
    this.status = end === "client-gone" ? CLIENT_GONE : NO_ANSWER;
  }

  get remote(): string {
    const { address } = this.#peer;
    return this.#clients?.address((name) => this.requestField(name), this.#peer) ?? address;
  }

  get trusted(): boolean {
    return this.#clients !== undefined;
  }

  requestField(name: string): string | undefined {
    const value = this.#request?.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** Fields given to `writeHead` are known only to the text that it made. */
  responseField(name: string): string | undefined {
    const value = this.#response?.getHeader(name);
    if (value !== undefined) return Array.isArray(value) ? value.join(", ") : String(value);
    const head = (this.#response as { _header?: string | null } | undefined)?._header ?? "";
    return fieldIn(head.slice(head.indexOf("\r\n") + 2), name);
  }
}

function encodingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === "string" && Buffer.isEncoding(encoding) ? encoding : "utf8";
}
