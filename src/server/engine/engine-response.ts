/**
 * The answers of one connection: how they are framed and sent, one at a time, and the short way for the
 * simplest of them. Whether the connection outlives an answer is the connection's to say.
 */
import type { Duplex } from "node:stream";
import { type ErrorContent, ExchangeResponse } from "../../exchange/response.ts";
import type { Transport } from "../../exchange/transport.ts";
import { forbidsContent } from "../../gateway/statuses.ts";
import type { HeadersInput, ResponseBody } from "../../gateway/types.ts";
import {
  asksToClose,
  dateField,
  framingFields,
  informationalHead,
  lastChunk,
  plainFields,
  responseHead,
  statusLine,
} from "../../http/response-head.ts";
import type { EngineExchangeLog } from "./engine-exchange-log.ts";
import type { Output } from "./output.ts";

/** What the answers need of their connection. */
export interface AnsweredConnection {
  /** Called when the head is about to be written: does the connection stay? */
  settleKeepAlive(): boolean;
  /** It must not stay. */
  refuseKeepAlive(): void;
  takeOver(): Duplex;
  /** Breaks off: what was sent must not look complete. */
  breakOff(): void;
  /** The answer has been handed over whole. */
  answered(): void;
}

/** Sends the answers of a connection. */
export class ResponseSender implements Transport {
  headOnly = false;
  upgradable = false;
  readonly connection: AnsweredConnection;
  readonly #output: Output;
  readonly #log: EngineExchangeLog | undefined;
  #oldVersion = false;
  #chunked = false;

  constructor(connection: AnsweredConnection, output: Output, log: EngineExchangeLog | undefined) {
    this.connection = connection;
    this.#output = output;
    this.#log = log;
  }

  /** Turns to the next request. */
  expect(method: string, httpVersion: "1.0" | "1.1", upgradable: boolean): void {
    this.headOnly = method === "HEAD";
    this.#oldVersion = httpVersion === "1.0";
    this.#chunked = false;
    this.upgradable = upgradable;
  }

  /** True when only the end of the connection ends the content of the answer under way. */
  get endsWithConnection(): boolean {
    return this.#oldVersion && !this.#chunked;
  }

  /** The straight path: `fields` are lines ready to be sent. */
  plain(status: number, fields: string, content: string): void {
    const keepAlive = this.connection.settleKeepAlive();
    const size = Buffer.byteLength(content);
    const framing = { length: size, chunked: false, keepAlive, sayKeepAlive: this.#oldVersion };
    const head = statusLine(status) + fields + dateField(Date.now()) + framingFields(framing);
    if (this.#log !== undefined) {
      this.#log.answer(status, fields, size);
      this.#log.bytes = size;
    }
    if (size === content.length) this.#output.text(head + content);
    else this.#output.message(head, content);
  }

  /** The server's own answer to what no app gets to see. */
  refuse(status: number, message: string, bare: boolean): void {
    const fields = ["Content-Type", "text/plain; charset=utf-8"];
    const framing = { length: message.length + 1, chunked: false, keepAlive: false, sayKeepAlive: false };
    if (this.#log !== undefined) {
      this.#log.answer(status, fields, framing.length);
      this.#log.bytes = bare ? 0 : framing.length;
    }
    this.#output.message(responseHead(status, fields, framing, Date.now()), bare ? "" : `${message}\n`);
  }

  informational(status: number, fields: string[]): void {
    if (!this.#oldVersion) this.#output.text(informationalHead(status, fields));
  }

  /**
   * Sends what makes no difference to an answer that has only begun, or not yet: before its head 102 (RFC 9110 section
   * 15.2: a client must be able to parse one that it did not ask for), between chunks a leading zero of the next
   * one's size (RFC 9112 section 7.1: 1*HEXDIG, and 1*"0" for the last one). False where there is no such thing.
   */
  probe(headSent: boolean): boolean {
    if (this.#oldVersion || (headSent && !this.#chunked)) return false;
    this.#output.text(headSent ? "0" : informationalHead(102, []));
    return true;
  }

  whole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void {
    if (asksToClose(fields)) this.connection.refuseKeepAlive();
    const keepAlive = this.connection.settleKeepAlive();
    const framing = { length, chunked: false, keepAlive, sayKeepAlive: this.#oldVersion };
    if (this.#log !== undefined) {
      this.#log.answer(status, fields, length);
      this.#log.bytes = Buffer.byteLength(content);
    }
    this.#output.message(responseHead(status, fields, framing, Date.now()), content);
  }

  begin(status: number, fields: string[], length: number | undefined): void {
    if (asksToClose(fields)) this.connection.refuseKeepAlive();
    const unknown = length === undefined && !this.headOnly;
    // HTTP/1.0 has no chunks: the end of the connection is the end of the content.
    if (unknown && this.#oldVersion) this.connection.refuseKeepAlive();
    this.#chunked = unknown && !this.#oldVersion;
    const keepAlive = this.connection.settleKeepAlive();
    const framing = { length, chunked: this.#chunked, keepAlive, sayKeepAlive: this.#oldVersion };
    this.#log?.answer(status, fields, length);
    this.#output.text(responseHead(status, fields, framing, Date.now()));
  }

  write(chunk: string | Uint8Array): boolean {
    if (this.#log !== undefined) this.#log.bytes += Buffer.byteLength(chunk);
    if (this.#chunked) this.#output.chunk(chunk);
    else this.#output.piece(chunk);
    return !this.#output.afterPiece();
  }

  whenWritable(): Promise<void> {
    return this.#output.room();
  }

  end(trailers: string[]): void {
    if (this.#chunked) this.#output.text(lastChunk(trailers));
  }

  upgrade(fields: string[] | undefined): Duplex {
    if (fields !== undefined) {
      this.#output.text(informationalHead(101, fields));
      this.#log?.answer(101, fields, undefined);
      this.#log?.finish("upgraded");
    }
    this.#output.release();
    return this.connection.takeOver();
  }

  destroy(): void {
    this.connection.breakOff();
  }
}

/** The answer of this engine: the simplest kind takes a short way. */
export class EngineResponse extends ExchangeResponse {
  readonly #sender: ResponseSender;
  readonly #describe: ((error: Error) => ErrorContent) | undefined;

  /** @param describe what a 500 says of the app's error; without it, nothing */
  constructor(
    sender: ResponseSender,
    onError: (error: Error, headSent: boolean) => void,
    describe?: (error: Error) => ErrorContent,
  ) {
    super(sender, onError);
    this.#sender = sender;
    this.#describe = describe;
  }

  protected override errorContent(error: Error): ErrorContent | undefined {
    return this.#describe?.(error);
  }

  protected override completed(): void {
    this.#sender.connection.answered();
  }

  override begin(
    status: number,
    headers: HeadersInput | null | undefined,
    body: ResponseBody | undefined,
  ): unknown {
    // The straight path: text with plain headers. One string, one write.
    if (
      typeof body === "string" &&
      typeof headers === "object" &&
      headers !== null &&
      !this.sent &&
      !this.#sender.headOnly &&
      Number.isInteger(status) &&
      status >= 200 &&
      status <= 599 &&
      !forbidsContent(status)
    ) {
      const fields = plainFields(headers);
      if (fields !== undefined) {
        this.claim();
        this.status = status;
        this.#sender.plain(status, fields, body);
        this.finish();
        return undefined;
      }
    }
    return super.begin(status, headers, body);
  }
}
