/** The responses of one connection, one at a time: framing, sending, and a fast path for the simplest of them. */
// Imported, since the global is an accessor, which V8 calls at each use.
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { HttpError } from "../../errors.ts";
import { type DescribeError, type DressError, ExchangeResponse } from "../../exchange/response.ts";
import { type DressedAnswer, lengthOf, PLAIN_TYPE } from "../../exchange/server-answer.ts";
import type { Transport } from "../../exchange/transport.ts";
import { forbidsContent, isFinalStatus } from "../../gateway/statuses.ts";
import type { HeadersInput, ResponseBody } from "../../gateway/types.ts";
import type { RequestHead } from "../../http/request-head.ts";
import {
  asksToClose,
  informationalHead,
  lastChunk,
  plainFields,
  plainHead,
  responseHead,
} from "../../http/response-head.ts";
import type { ResponseHost } from "./contract.ts";
import { currentSecond } from "./date-clock.ts";
import type { EngineExchangeWatch } from "./engine-exchange-watch.ts";
import type { Output } from "./output.ts";

/** Frames and sends the responses of a connection. */
export class ResponseSender implements Transport {
  headOnly = false;
  upgradable = false;
  readonly host: ResponseHost;
  readonly #output: Output;
  readonly #watch: EngineExchangeWatch | undefined;
  #isHttp10 = false;
  #chunked = false;

  constructor(host: ResponseHost, output: Output, watch: EngineExchangeWatch | undefined) {
    this.host = host;
    this.#output = output;
    this.#watch = watch;
  }

  /** Prepares for the response to the next request. */
  startResponse(method: string, httpVersion: RequestHead["httpVersion"], upgradable: boolean): void {
    this.headOnly = method === "HEAD";
    this.#isHttp10 = httpVersion === "1.0";
    this.#chunked = false;
    this.upgradable = upgradable;
  }

  /** True if the content of the response in progress is ended only by the end of the connection. */
  get endsWithConnection(): boolean {
    return this.#isHttp10 && !this.#chunked;
  }

  /** Sends a whole text response: the fast path. `fields` are encoded lines. Returns the bytes of the content. */
  text(status: number, fields: string, content: string): number {
    const keepAlive = this.host.decideKeepAlive();
    const size = Buffer.byteLength(content);
    const framing = { length: size, chunked: false, keepAlive, announceKeepAlive: this.#isHttp10 };
    const head = plainHead(status, fields, framing, currentSecond());
    this.#watch?.respond(status, fields, size, size);
    if (size === content.length) this.#output.writeText(head + content);
    else this.#output.writeMessage(head, content);
    return size;
  }

  /**
   * Sends the server's own response to a request that is not passed to the app.
   *
   * @param bare whether only the head is sent
   * @param dressed as the app dresses it; undefined: the message is the content
   */
  refuse({ status, message }: HttpError, bare: boolean, dressed: DressedAnswer | undefined): void {
    const fields = dressed?.fields ?? ["Content-Type", PLAIN_TYPE];
    const content = dressed?.content ?? `${message}\n`;
    const length = lengthOf(content);
    const framing = { length, chunked: false, keepAlive: false, announceKeepAlive: false };
    this.#watch?.respond(status, fields, length, bare ? 0 : length);
    this.#output.writeMessage(responseHead(status, fields, framing, currentSecond()), bare ? "" : content);
  }

  informational(status: number, fields: string[]): void {
    if (!this.#isHttp10) this.#output.writeText(informationalHead(status, fields));
  }

  /**
   * Sends bytes that do not affect the response in progress. Before its head: a 102 (RFC 9110 section 15.2: a client
   * must be able to parse an unexpected 1xx). Between chunks: a leading zero of the next chunk size (RFC 9112 section
   * 7.1: 1*HEXDIG, and 1*"0" for the last one). Returns false if the framing has no such bytes.
   */
  probe(headSent: boolean): boolean {
    if (this.#isHttp10 || (headSent && !this.#chunked)) return false;
    this.#output.writeText(headSent ? "0" : informationalHead(102, []));
    return true;
  }

  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    length: number | undefined,
  ): void {
    if (asksToClose(fields)) this.host.disableKeepAlive();
    const keepAlive = this.host.decideKeepAlive();
    const framing = { length, chunked: false, keepAlive, announceKeepAlive: this.#isHttp10 };
    if (this.#watch !== undefined) {
      this.#watch.respond(status, fields, length, 0);
      this.#watch.sent(content);
    }
    this.#output.writeMessage(responseHead(status, fields, framing, currentSecond()), content);
  }

  sendHead(status: number, fields: string[], length: number | undefined): void {
    if (asksToClose(fields)) this.host.disableKeepAlive();
    const unknown = length === undefined && !this.headOnly;
    // HTTP/1.0 has no chunks: the end of the connection ends the content.
    if (unknown && this.#isHttp10) this.host.disableKeepAlive();
    this.#chunked = unknown && !this.#isHttp10;
    const keepAlive = this.host.decideKeepAlive();
    const framing = { length, chunked: this.#chunked, keepAlive, announceKeepAlive: this.#isHttp10 };
    this.#watch?.respond(status, fields, length, 0);
    this.#output.writeHead(responseHead(status, fields, framing, currentSecond()));
  }

  flush(): void {
    this.#output.sendNow();
  }

  write(chunk: string | Uint8Array): boolean {
    this.#watch?.sent(chunk);
    if (this.#chunked) this.#output.writeChunk(chunk);
    else this.#output.writePiece(chunk);
    return !this.#output.endPiece();
  }

  whenWritable(): Promise<void> {
    return this.#output.whenWritable();
  }

  end(trailers: string[]): void {
    // Sends what has been gathered, too.
    this.#output.writeText(this.#chunked ? lastChunk(trailers) : "");
  }

  upgrade(fields: string[] | undefined): Duplex {
    if (fields !== undefined) {
      this.#output.writeText(informationalHead(101, fields));
      this.#watch?.respond(101, fields, undefined, 0);
      this.#watch?.finish("upgraded");
    }
    this.#output.flush();
    return this.host.upgrade();
  }

  destroy(): void {
    this.host.responseFailed();
  }
}

/** A response of the engine, with a fast path for text with plain headers. */
export class EngineResponse extends ExchangeResponse {
  readonly #sender: ResponseSender;

  /**
   * @param describe makes the content of a 500 from the app's error; without it the content is the status only
   * @param dress has the app dress what is sent in its place
   */
  constructor(
    sender: ResponseSender,
    onError: (error: Error, headSent: boolean) => void,
    describe?: DescribeError,
    dress?: DressError,
  ) {
    super(sender, onError, dress, describe);
    this.#sender = sender;
  }

  protected override completed(): void {
    this.#sender.host.responseSent();
  }

  override begin(
    status: number,
    headers: HeadersInput | null | undefined,
    body: ResponseBody | undefined,
  ): unknown {
    // The fast path: one string, one write.
    if (
      typeof body === "string" &&
      typeof headers === "object" &&
      headers !== null &&
      !this.sent &&
      !this.#sender.headOnly &&
      isFinalStatus(status) &&
      !forbidsContent(status)
    ) {
      const fields = plainFields(headers);
      if (fields !== undefined) {
        this.#sendText(status, fields, body);
        return undefined;
      }
    }
    return super.begin(status, headers, body);
  }

  beginText(status: number, lines: string, text: string): boolean {
    if (this.sent || this.#sender.headOnly || !isFinalStatus(status) || forbidsContent(status)) return false;
    this.#sendText(status, lines, text);
    return true;
  }

  #sendText(status: number, lines: string, text: string): void {
    this.claim();
    this.status = status;
    this.bytes = this.#sender.text(status, lines, text);
    this.finish();
  }
}
