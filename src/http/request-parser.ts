/**
 * The request parser: a strict version of http-parser-js's push machine. The package supplies the machine
 * (`execute` steps through its named states) and the reading of sized content. Every state that reads a
 * line is replaced here, because the original accepts bare LF, signs in lengths, Content-Length with
 * Transfer-Encoding and other malformed messages. No other file imports the package.
 *
 * Bytes in, events out, one message at a time: `execute` stops after a complete message, so that the next
 * one is not parsed before this one is answered.
 */
// Imported, since the global is an accessor, which V8 calls at each use.
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { HttpError } from "../errors.ts";
import { HEX_VALUE, isChunkExtensions, isTarget, VALUE_BYTE } from "./grammar.ts";
import { HeadFacts } from "./head-facts.ts";
import type { RequestLimits } from "./head-limit.ts";
import { HeadScanner } from "./head-scanner.ts";
import { ParsedHead, type RequestHead, splitFields } from "./request-head.ts";

// `require`, not `import`: to find the export names of a CommonJS module, Node would first load its lexer.
const { HTTPParser } = createRequire(import.meta.url)("http-parser-js") as typeof import("http-parser-js");

export interface RequestParserEvents {
  onHead(head: RequestHead): void;
  /** A piece of content: a view that is valid only during the call. */
  onBody(chunk: Uint8Array): void;
  /** The message is complete. `rawTrailers` alternates names and values. */
  onEnd(rawTrailers: string[]): void;
}

/** The parts of the inherited machine that are used here. The package's own types declare the states private. */
interface PushMachine {
  state: string;
  chunk: Buffer | null;
  offset: number;
  end: number;
  body_bytes: number | null;
  maxHeaderSize: number;
  isUserCall: boolean;
  execute(chunk: Buffer, start?: number, length?: number): number | Error;
  userCall(): (result?: unknown) => unknown;
  nextRequest(): void;
}

const Machine = HTTPParser as unknown as new () => PushMachine;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

/** A state that the machine does not know: heads never get to it. */
const HEAD = "HEAD";

/** Limit per message: no client needs chunk extensions, and they cost work without progress. */
const MAX_EXTENSION_BYTES = 4096;

const NO_TRAILERS: string[] = [];

export class RequestParser extends Machine {
  /** Undefined only between messages, while the parser belongs to no connection. */
  events: RequestParserEvents | undefined;
  readonly #facts = new HeadFacts();
  readonly #scanner: HeadScanner;
  #chunkDigits = 0;
  #chunkSize = 0;
  #extensions: string | undefined;
  #extensionBytes = 0;
  #lineFeedDue = false;
  #trailers = NO_TRAILERS;
  #refusal: Error | undefined;
  readonly #leaveUserCall = (result?: unknown): unknown => {
    this.isUserCall = false;
    return result;
  };

  constructor(limits: RequestLimits, events: RequestParserEvents) {
    super();
    this.events = events;
    this.#scanner = new HeadScanner(limits, this.#facts);
    this.state = HEAD;
    // The machine's own limit counts the whole head; the scanner applies finer ones.
    this.maxHeaderSize = Number.POSITIVE_INFINITY;
    this.isUserCall = false;
  }

  /**
   * Parses `chunk` and returns the number of bytes consumed. It stops after a head and after a message;
   * call again with the rest to continue.
   *
   * @throws HttpError for a refused message; every later call throws it again.
   */
  override execute(chunk: Uint8Array, start = 0, length = chunk.length - start): number {
    if (this.state === "MESSAGE_COMPLETE") this.#startMessage();
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    // Directly: the machine would look the state up by its name.
    if (this.state === HEAD) return this.#readHead(bytes, start, start + length);
    const consumed = super.execute(bytes, start, length);
    return typeof consumed === "number" ? consumed : this.#refuse(consumed);
  }

  /** Reads request line and field section in one pass. */
  #readHead(bytes: Buffer, start: number, end: number): number {
    const scanner = this.#scanner;
    let stop = end;
    let head: ParsedHead;
    try {
      stop = scanner.scan(bytes, start, end);
      if (!scanner.done) return stop - start;
      head = this.#checkHead();
    } catch (error) {
      return this.#refuse(error as Error);
    }
    const { contentLength } = head;
    if (contentLength === undefined) {
      this.state = "BODY_CHUNKHEAD";
      this.#chunkDigits = 0;
    } else if (contentLength > 0) {
      this.state = "BODY_SIZED";
      this.body_bytes = contentLength;
    } else {
      this.state = "MESSAGE_COMPLETE";
    }
    this.#handler.onHead(head);
    if (contentLength === 0) this.#handler.onEnd(NO_TRAILERS);
    // Always stop here: only now can the caller decide whether it wants the content.
    return stop - start;
  }

  #refuse(refusal: Error): never {
    this.#refusal = refusal;
    this.state = "REFUSED";
    throw refusal;
  }

  /**
   * Call when the client has closed its sending side.
   *
   * @throws HttpError 400 if that truncates a message (RFC 9112 section 8).
   */
  finish(): void {
    if (this.idle) return;
    throw new HttpError(400, "the request ended early");
  }

  /** True between messages: nothing of the next one has arrived. */
  get idle(): boolean {
    return this.state === "MESSAGE_COMPLETE" || (this.state === HEAD && this.#scanner.idle);
  }

  /** True after the last byte of a message, until the first byte of the next one. */
  get complete(): boolean {
    return this.state === "MESSAGE_COMPLETE";
  }

  /** True while a head is being received. */
  get inHead(): boolean {
    return this.state === HEAD && !this.#scanner.idle;
  }

  /** The received part of an incomplete or refused head, as unvalidated Latin-1. */
  get received(): string {
    return this.#scanner.received;
  }

  /** Bytes of memory held for an incomplete head. */
  get heldBytes(): number {
    return this.#scanner.heldBytes;
  }

  /** Releases memory. Call when nothing more will be parsed and `received` is no longer needed. */
  drop(): void {
    this.#scanner.drop();
  }

  get #handler(): RequestParserEvents {
    return this.events as RequestParserEvents;
  }

  #startMessage(): void {
    this.state = HEAD;
    this.#facts.reset();
    this.#scanner.resetForRequest();
    this.#extensionBytes = 0;
  }

  /** The machine wraps each callback in this. Its own version makes a closure for every call. */
  override userCall(): (result?: unknown) => unknown {
    this.isUserCall = true;
    return this.#leaveUserCall;
  }

  /** The machine calls this after the last byte of a message and must stop there. */
  override nextRequest(): void {
    this.state = "MESSAGE_COMPLETE";
    const trailers = this.#trailers;
    this.#trailers = NO_TRAILERS;
    this.userCall()(this.#handler.onEnd(trailers));
  }

  MESSAGE_COMPLETE(): boolean {
    return true;
  }

  /** Nothing is parsed after a refusal. */
  REFUSED(): never {
    throw this.#refusal;
  }

  /** Applies the rules that need the whole head, in the order of RFC 9112. */
  #checkHead(): ParsedHead {
    const facts = this.#facts;
    const scanner = this.#scanner;
    const { text } = scanner;
    const method = text.substring(0, scanner.methodEnd);
    const target = text.substring(scanner.methodEnd + 1, scanner.targetEnd);
    const isHttp11 = scanner.minor === 1;
    if (target.charCodeAt(0) !== 0x2f || method === "CONNECT") {
      if (!isTarget(method, target))
        throw new HttpError(400, "the request-target has no valid form for this method");
    }
    if (isHttp11 && facts.hostCount === 0) throw new HttpError(400, "no Host field");
    if (facts.encodingCount > 0) this.#checkEncoding(isHttp11);
    if (facts.lengthCount > 1) throw new HttpError(400, "more than one Content-Length");
    const contentLength = facts.encodingCount > 0 ? undefined : facts.length;
    // RFC 9110 sections 9.3.6 and 9.3.8. The tunnel begins right after the head of a CONNECT, whatever Content-Length says.
    if ((method === "TRACE" || method === "CONNECT") && contentLength !== 0) {
      throw new HttpError(400, `${method} with content`);
    }
    if (facts.expectCount > 0 && isHttp11 && !(facts.expectCount === 1 && facts.expectContinue)) {
      throw new HttpError(417, "unsupported expectation: only 100-continue is supported");
    }
    // Not earlier: the log needs the text of a head refused above.
    scanner.releaseText();
    return new ParsedHead(
      method,
      target,
      isHttp11 ? "1.1" : "1.0",
      !facts.close && (isHttp11 || facts.keepAlive),
      method === "CONNECT" || (isHttp11 && facts.upgrade && facts.connectionUpgrade),
      isHttp11 && facts.expectContinue && contentLength !== 0,
      contentLength,
      facts.hasForwardedPrefix,
      facts.hasRequestStart,
      facts.host,
      text.substring(scanner.fieldsStart),
    );
  }

  /** RFC 9112 sections 6.1 and 6.3. */
  #checkEncoding(isHttp11: boolean): void {
    const facts = this.#facts;
    if (!isHttp11) throw new HttpError(400, "Transfer-Encoding in HTTP/1.0");
    if (facts.lengthCount > 0) throw new HttpError(400, "Content-Length together with Transfer-Encoding");
    if (facts.encodingCount > 1 || !facts.chunked) {
      throw new HttpError(501, "unsupported transfer coding: only chunked is supported");
    }
  }

  /** RFC 9112 section 7.1: chunk-size [ chunk-ext ] CRLF. */
  BODY_CHUNKHEAD(): boolean {
    const bytes = this.chunk as Buffer;
    while (this.offset < this.end) {
      const byte = bytes[this.offset] as number;
      if (this.#lineFeedDue) {
        if (byte !== LF) throw new HttpError(400, "CR without LF after a chunk size");
        this.offset += 1;
        this.#endChunkHead();
        return false;
      }
      if (byte === CR) {
        if (this.#chunkDigits === 0) throw new HttpError(400, "a chunk without a size");
        this.#lineFeedDue = true;
      } else if (this.#extensions !== undefined) {
        this.#addExtension(byte);
      } else if (HEX_VALUE[byte] !== 255) {
        this.#addDigit(HEX_VALUE[byte] as number);
      } else if (this.#chunkDigits > 0 && (byte === SEMICOLON || byte === 0x20 || byte === 0x09)) {
        this.#extensions = "";
        this.#addExtension(byte);
      } else {
        throw new HttpError(400, "malformed chunk size");
      }
      this.offset += 1;
    }
    return false;
  }

  #addDigit(digit: number): void {
    const size = this.#chunkDigits === 0 ? digit : this.#chunkSize * 16 + digit;
    if (size > Number.MAX_SAFE_INTEGER || this.#chunkDigits === 16)
      throw new HttpError(400, "a chunk size is too large");
    this.#chunkSize = size;
    this.#chunkDigits += 1;
  }

  #addExtension(byte: number): void {
    this.#extensionBytes += 1;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES)
      throw new HttpError(413, "too many bytes of chunk extensions");
    if (VALUE_BYTE[byte] !== 1) throw new HttpError(400, "a control character in a chunk extension");
    this.#extensions += String.fromCharCode(byte);
  }

  #endChunkHead(): void {
    const extensions = this.#extensions;
    if (extensions !== undefined && !isChunkExtensions(extensions)) {
      throw new HttpError(400, "malformed chunk extension");
    }
    this.#extensions = undefined;
    this.#lineFeedDue = false;
    this.#chunkDigits = 0;
    if (this.#chunkSize > 0) {
      this.body_bytes = this.#chunkSize;
      this.state = "BODY_CHUNK";
    } else {
      this.#facts.isTrailerSection = true;
      this.#scanner.resetForTrailers();
      this.state = "BODY_CHUNKTRAILERS";
    }
  }

  /** The CRLF after the data of a chunk. */
  BODY_CHUNKEMPTYLINE(): boolean {
    const byte = (this.chunk as Buffer)[this.offset];
    if (byte !== (this.#lineFeedDue ? LF : CR))
      throw new HttpError(400, "chunk data is not followed by CRLF");
    this.offset += 1;
    if (this.#lineFeedDue) this.state = "BODY_CHUNKHEAD";
    this.#lineFeedDue = !this.#lineFeedDue;
    return false;
  }

  BODY_CHUNKTRAILERS(): boolean {
    this.offset = this.#scanner.scan(this.chunk as Buffer, this.offset, this.end);
    if (!this.#scanner.done) return false;
    this.#trailers = splitFields(this.#scanner.releaseText());
    this.nextRequest();
    return true;
  }

  /** Called by the machine's BODY_SIZED and BODY_CHUNK with content. */
  [HTTPParser.kOnBody](chunk: Buffer): void {
    this.#handler.onBody(chunk);
  }
}
