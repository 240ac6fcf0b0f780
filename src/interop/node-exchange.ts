/**
 * One exchange over Node's own request and response objects: sends the response, and feeds the request body
 * with backpressure.
 */
import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { BodyError, ClientGone } from "../errors.ts";
import { type BodySource, MessageBody } from "../exchange/message-body.ts";
import type { Transport } from "../exchange/transport.ts";
import { distinctFields, fieldPairs } from "../gateway/fields.ts";
import { asksToClose, informationalHead } from "../http/response-head.ts";
import { allowedTrailers, fieldValue, sentFields } from "./framing.ts";
import type { HostedExchange } from "./hosted-app.ts";
import type { ConnectedExchange, NodeConnection } from "./node-connection.ts";

/** Unread bytes of the body of a request that has its response are discarded up to this number; beyond it the connection is closed. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

const BEYOND_ASCII = /[\x80-\xff]/;

export interface NodeExchangeOptions {
  readonly bodyLimit: number;
  /** True if the client expects 100 Continue and has not received it. */
  readonly expectsContinue: boolean;
  /** Bytes after the head of an upgrade request; undefined unless Node has detached the connection. */
  readonly upgradeHead: Buffer | undefined;
  readonly connection: NodeConnection;
  /** True once responses must send `Connection: close`. */
  readonly draining: () => boolean;
}

export class NodeExchange implements Transport, BodySource, ConnectedExchange {
  readonly headOnly: boolean;
  readonly upgradable: boolean;
  /** undefined for a request without content */
  readonly body: MessageBody | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: NodeExchangeOptions;
  #expectsContinue: boolean;
  #reading = false;
  #discarded = 0;
  #responded = false;
  /** The response was complete before the app began to read. */
  #unread = false;
  #untilClose = false;
  #beyondAscii = false;
  #exchange: HostedExchange | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: NodeExchangeOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.headOnly = request.method === "HEAD";
    this.upgradable = options.upgradeHead !== undefined;
    this.#expectsContinue = options.expectsContinue;
    const chunked = request.headers["transfer-encoding"] !== undefined;
    const length = chunked ? undefined : Number(request.headers["content-length"] ?? 0);
    if (length !== 0 && !this.upgradable) this.body = new MessageBody(length, this, options.bodyLimit);
  }

  get settled(): Promise<unknown> {
    return (this.#exchange as HostedExchange).response.finished().catch(() => {});
  }

  /** Attaches the exchange, which from now on learns that the client has disconnected. */
  attach(exchange: HostedExchange): void {
    this.#exchange = exchange;
    if (this.body === undefined) return;
    this.#request.on("error", () => {});
    this.#request.on("close", () => {
      if (!this.#request.complete) this.body?.fail(new BodyError(400, "the request body ended early"));
    });
  }

  /** The client still reads, so the response is not abandoned. */
  halfClosed(): void {
    this.#exchange?.request.abort(new ClientGone("the client closed its side of the connection"));
  }

  closed(): void {
    const exchange = this.#exchange;
    exchange?.request.abort(new ClientGone());
    exchange?.response.abandon(exchange.request.abortReason as Error);
  }

  // ---- the request body

  start(): void {
    if (this.#expectsContinue) {
      this.#expectsContinue = false;
      if (!this.#response.headersSent) this.#response.writeContinue();
    }
    this.#read();
  }

  #read(): void {
    this.#reading = true;
    const body = this.body as MessageBody;
    this.#request.on("data", (chunk: Buffer) => {
      if (this.#unread || body.abandoned) this.#discard(chunk.length);
      else body.push(chunk);
    });
    this.#request.on("end", () => body.end(allowedTrailers(this.#request.rawTrailers)));
  }

  /** Node no longer reports a closed connection to a request whose response is complete. */
  #watchConnection(body: MessageBody): void {
    const { socket } = this.#request;
    const cut = (): void => body.fail(new BodyError(400, "the request body ended early"));
    socket.once("close", cut);
    this.#request.once("end", () => socket.off("close", cut));
  }

  #discardBody(body: MessageBody): void {
    this.#unread = true;
    body.fail(new BodyError(400, "the response was sent before the request body was read"));
    this.#read();
    this.#request.resume();
    // Marks the body as consumed; otherwise Node reads the rest of it without a limit.
    this.#request.read(0);
  }

  /** Counts discarded bytes and stops at the limit. */
  #discard(size: number): void {
    this.#discarded += size;
    if (this.#discarded <= MAX_DISCARDED_BYTES) return;
    this.#request.pause();
    if (this.#responded) this.#request.socket.destroySoon();
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  // ---- the response

  informational(status: number, fields: string[]): void {
    if (this.#request.httpVersion === "1.0") return;
    const response = this.#response as unknown as RawResponse;
    // Node's objects for HTTP/2 have their stream.
    if ("stream" in response)
      response.stream.additionalHeaders({ ...distinctFields(fields), ":status": status });
    // Node's writeEarlyHints and writeContinue use this; no public method sends an arbitrary 1xx.
    else response._writeRaw(informationalHead(status, fields), "latin1");
  }

  upgrade(fields: string[] | undefined): Duplex {
    const socket = this.#request.socket;
    this.#response.detachSocket(socket);
    if (fields !== undefined) socket.write(informationalHead(101, fields), "latin1");
    const head = this.#options.upgradeHead as Buffer;
    if (head.length > 0) socket.unshift(head);
    return socket;
  }

  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    length: number | undefined,
  ): void {
    this.#head(status, fields, length);
    this.#end(content);
  }

  sendHead(status: number, fields: string[], length: number | undefined): void {
    this.#untilClose = length === undefined && this.#request.httpVersion === "1.0";
    this.#head(status, fields, length);
    // Wait for a first piece written in this turn: one packet instead of two.
    process.nextTick(() => {
      if (this.#response.destroyed || this.#response.writableEnded) return;
      // An empty write sends the head as Latin-1; flushHeaders would encode it as UTF-8.
      if (this.#beyondAscii) this.#response.write(new Uint8Array(0));
      else this.#response.flushHeaders();
    });
  }

  #head(status: number, fields: string[], length: number | undefined): void {
    const response = this.#response;
    const upgrades = fieldValue(fields, "upgrade") !== undefined;
    // Close if the client still expects 100 Continue: it may or may not send its content now. For an HTTP/1.0 client
    // Node decides itself, unless Connection is set.
    const close =
      asksToClose(fields) ||
      this.#expectsContinue ||
      this.upgradable ||
      this.#options.draining() ||
      (upgrades && !response.shouldKeepAlive);
    const options: string[] = [];
    if (close) options.push("close");
    else if (upgrades && this.#request.httpVersion === "1.0") options.push("keep-alive");
    const sent: OutgoingHttpHeader[] = sentFields(fields, options);
    if (length !== undefined) sent.push("Content-Length", String(length));
    if (close) this.#options.connection.closeAfterCurrent();
    this.#beyondAscii = fields.some((text) => BEYOND_ASCII.test(text));
    response.writeHead(status, sent);
  }

  /** Node writes head and text together as UTF-8, which would corrupt a head with bytes beyond ASCII. */
  #bytes(chunk: string | Uint8Array): string | Uint8Array {
    return this.#beyondAscii && typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  }

  write(chunk: string | Uint8Array): boolean {
    return this.#response.write(this.#bytes(chunk));
  }

  whenWritable(): Promise<void> {
    const response = this.#response;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        response.off("drain", settle);
        response.off("close", settle);
        if (response.destroyed || response.socket?.destroyed === true) reject(new ClientGone());
        else resolve();
      };
      response.on("drain", settle);
      response.on("close", settle);
      if (!response.writableNeedDrain) settle();
    });
  }

  end(trailers: string[]): void {
    if (trailers.length > 0) this.#response.addTrailers(fieldPairs(trailers));
    this.#end("");
  }

  #end(content: string | Uint8Array): void {
    this.#responded = true;
    if (this.body !== undefined && !this.body.ended && !this.#expectsContinue) {
      if (!this.#reading) this.#discardBody(this.body);
      else if (this.body.abandoned) this.#request.resume();
      else this.#watchConnection(this.body);
    }
    this.#response.end(this.#bytes(content));
  }

  destroy(): void {
    const socket = this.#response.socket;
    const tcp = socket?.remoteAddress !== undefined && !("encrypted" in socket);
    // Content delimited by the end of the connection looks complete unless the connection is reset.
    if (this.#untilClose && tcp) socket.resetAndDestroy();
    else if (socket !== null) socket.destroy();
    else this.#response.destroy();
  }
}

type RawResponse =
  | { _writeRaw(text: string, encoding: "latin1"): void }
  | { readonly stream: { additionalHeaders(headers: Record<string, string[] | number>): void } };
