/**
 * The request parser: http-parser-js's push machine, made strict. The package gives the machine
 * (`execute` steps through its named states) and the reading of sized content; every state that reads
 * a line is replaced here, because as it comes it takes bare LF, signs in lengths, Content-Length
 * beside Transfer-Encoding and other malformed messages for good ones. No other file imports it.
 *
 * Bytes in, events out. One message at a time: `execute` stops behind a complete message, so that the
 * next one is not looked at before this one is answered.
 */
import { HTTPParser } from "http-parser-js";
import { HttpError } from "../errors.ts";
import { isTrailerName } from "../gateway/fields.ts";
import { HEX_VALUE, isChunkExtensions, isHost, isTarget, VALUE_BYTE } from "./grammar.ts";
import { type FieldReader, HeadScanner, type RequestLimits } from "./head-scanner.ts";
import { ParsedHead, type RequestHead, splitFields } from "./request-head.ts";

export type { RequestHead, RequestLimits };

export interface RequestParserEvents {
  onHead(head: RequestHead): void;
  /** A piece of content: a view that is valid during the call only. */
  onBody(chunk: Uint8Array): void;
  /** The message is complete. Trailer names and values in turn. */
  onEnd(rawTrailers: string[]): void;
}

/** The inherited machine, as far as it is used. Its own declarations make the states private. */
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

/** The most bytes of chunk extensions in one message: nobody uses them, and they cost work without progress. */
const EXTENSION_BYTES = 4096;

const NO_TRAILERS: string[] = [];

/** The last Host value found valid: nearly every request to a server names the same one. */
let knownHost = "";

/** Which fields a head had, and what they said. */
class HeadFacts implements FieldReader {
  hosts = 0;
  lengths = 0;
  length = 0;
  encodings = 0;
  chunked = false;
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  upgrade = false;
  expect = 0;
  expectContinue = false;
  /** Set while the fields of a trailer section are read. */
  trailers = false;

  reset(): void {
    this.hosts = 0;
    this.lengths = 0;
    this.length = 0;
    this.encodings = 0;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.upgrade = false;
    this.expect = 0;
    this.expectContinue = false;
    this.trailers = false;
  }

  onField(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.trailers) {
      const name = bytes.toString("latin1", nameStart, nameEnd);
      if (!isTrailerName(name))
        throw new HttpError(400, `the field ${name} is not allowed in a trailer section`);
      return;
    }
    // The length alone tells most fields apart from the few that matter here: no string is made for the rest.
    switch (nameEnd - nameStart) {
      case 4:
        if (isWord(bytes, nameStart, nameEnd, "host")) this.#onHost(bytes, valueStart, valueEnd);
        return;
      case 6:
        if (isWord(bytes, nameStart, nameEnd, "expect")) this.#onExpect(bytes, valueStart, valueEnd);
        return;
      case 7:
        if (isWord(bytes, nameStart, nameEnd, "upgrade")) this.upgrade = valueEnd > valueStart;
        return;
      case 10:
        if (isWord(bytes, nameStart, nameEnd, "connection")) this.#onConnection(bytes, valueStart, valueEnd);
        return;
      case 14:
        if (isWord(bytes, nameStart, nameEnd, "content-length")) this.#onLength(bytes, valueStart, valueEnd);
        return;
      case 17:
        if (isWord(bytes, nameStart, nameEnd, "transfer-encoding")) {
          this.encodings += 1;
          this.chunked = isWord(bytes, valueStart, valueEnd, "chunked");
        }
        return;
    }
  }

  /** RFC 9112 section 3.2: at most one Host field, with a valid value. */
  #onHost(bytes: Buffer, start: number, end: number): void {
    this.hosts += 1;
    if (this.hosts > 1) throw new HttpError(400, "more than one Host field");
    if (isSame(bytes, start, end, knownHost)) return;
    const host = bytes.toString("latin1", start, end);
    if (!isHost(host)) throw new HttpError(400, "the Host field is malformed");
    knownHost = host;
  }

  #onExpect(bytes: Buffer, start: number, end: number): void {
    this.expect += 1;
    this.expectContinue = isWord(bytes, start, end, "100-continue");
  }

  /** RFC 9110 section 7.6.1: a list of tokens; RFC 9112 section 9.3: `close` wins. */
  #onConnection(bytes: Buffer, start: number, end: number): void {
    let from = start;
    while (from < end) {
      let to = from;
      while (to < end && bytes[to] !== 0x2c) to += 1;
      let first = from;
      let last = to;
      while (first < last && (bytes[first] === 0x20 || bytes[first] === 0x09)) first += 1;
      while (last > first && (bytes[last - 1] === 0x20 || bytes[last - 1] === 0x09)) last -= 1;
      if (isWord(bytes, first, last, "close")) this.close = true;
      else if (isWord(bytes, first, last, "keep-alive")) this.keepAlive = true;
      else if (isWord(bytes, first, last, "upgrade")) this.connectionUpgrade = true;
      from = to + 1;
    }
  }

  /** RFC 9110 section 8.6: 1*DIGIT, nothing else. */
  #onLength(bytes: Buffer, start: number, end: number): void {
    this.lengths += 1;
    if (start === end) throw new HttpError(400, "Content-Length is empty");
    let length = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) throw new HttpError(400, "Content-Length is not a number");
      length = length * 10 + digit;
      if (length > Number.MAX_SAFE_INTEGER) throw new HttpError(400, "Content-Length is too large");
    }
    this.length = length;
  }
}

/** Compares ASCII case-insensitively; `word` is in lower case and holds letters, digits and hyphens only. */
function isWord(bytes: Buffer, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let index = 0; index < word.length; index += 1) {
    const byte = bytes[start + index] as number;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== word.charCodeAt(index)) return false;
  }
  return true;
}

function isSame(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

export class RequestParser extends Machine {
  readonly #events: RequestParserEvents;
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
    this.#events = events;
    this.#scanner = new HeadScanner(limits, this.#facts);
    this.state = "REQUEST_LINE";
    // The machine's own bound counts bytes of a whole head; the scanner has finer ones.
    this.maxHeaderSize = Number.POSITIVE_INFINITY;
    this.isUserCall = false;
  }

  /**
   * Parses `chunk` and returns the number of bytes consumed: it stops behind a head and behind a
   * message. Call again with the rest to go on.
   *
   * @throws HttpError for what is refused; from then on every call throws it again.
   */
  override execute(chunk: Uint8Array, start = 0, length = chunk.length - start): number {
    if (this.state === "MESSAGE_COMPLETE") this.#startMessage();
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const consumed = super.execute(bytes, start, length);
    if (typeof consumed === "number") return consumed;
    this.#refusal = consumed;
    this.state = "REFUSED";
    throw consumed;
  }

  /**
   * The client has closed its sending side.
   *
   * @throws HttpError 400 when that cuts a message short (RFC 9112 section 8).
   */
  finish(): void {
    if (this.state === "MESSAGE_COMPLETE" || (this.state === "REQUEST_LINE" && this.#scanner.idle)) return;
    throw new HttpError(400, "the request ended early");
  }

  /** True between messages: nothing of the next one has arrived. */
  get idle(): boolean {
    return this.state === "MESSAGE_COMPLETE" || (this.state === "REQUEST_LINE" && this.#scanner.idle);
  }

  /** True while a head is being received. */
  get inHead(): boolean {
    return this.state === "REQUEST_LINE" && !this.#scanner.idle;
  }

  #startMessage(): void {
    this.state = "REQUEST_LINE";
    this.#facts.reset();
    this.#scanner.resetForRequest();
    this.#extensionBytes = 0;
    this.#trailers = NO_TRAILERS;
  }

  /** The machine wraps each call of ours in this; its own version makes a closure for each. */
  override userCall(): (result?: unknown) => unknown {
    this.isUserCall = true;
    return this.#leaveUserCall;
  }

  /** The machine calls this behind the last byte of a message; it must stop there. */
  override nextRequest(): void {
    this.state = "MESSAGE_COMPLETE";
    this.userCall()(this.#events.onEnd(this.#trailers));
  }

  MESSAGE_COMPLETE(): boolean {
    return true;
  }

  /** Behind a refusal nothing is parsed, whoever asks. */
  REFUSED(): never {
    throw this.#refusal;
  }

  /** Request line and field section in one pass. */
  REQUEST_LINE(): boolean {
    this.offset = this.#scanner.scan(this.chunk as Buffer, this.offset, this.end);
    if (!this.#scanner.done) return false;
    const head = this.#checkHead();
    if (head.contentLength === undefined) {
      this.state = "BODY_CHUNKHEAD";
      this.#chunkDigits = 0;
    } else if (head.contentLength > 0) {
      this.state = "BODY_SIZED";
      this.body_bytes = head.contentLength;
    }
    this.userCall()(this.#events.onHead(head));
    if (head.contentLength === 0) this.nextRequest();
    // Stop here in any case: whether the content is wanted is known only now.
    return true;
  }

  /** The rules that need the whole head, in the order in which RFC 9112 gives them. */
  #checkHead(): ParsedHead {
    const facts = this.#facts;
    const scanner = this.#scanner;
    const text = scanner.text;
    const method = text.substring(0, scanner.methodEnd);
    const target = text.substring(scanner.methodEnd + 1, scanner.targetEnd);
    const current = scanner.minor === 1;
    if (target.charCodeAt(0) !== 0x2f || method === "CONNECT") {
      if (!isTarget(method, target))
        throw new HttpError(400, "the request-target has no valid form for this method");
    }
    if (current && facts.hosts === 0) throw new HttpError(400, "no Host field");
    if (facts.encodings > 0) this.#checkEncoding(current);
    if (facts.lengths > 1) throw new HttpError(400, "more than one Content-Length");
    const contentLength = facts.encodings > 0 ? undefined : facts.length;
    // RFC 9110 sections 9.3.6 and 9.3.8. Behind the head of a CONNECT begins the tunnel, whatever a length says.
    if ((method === "TRACE" || method === "CONNECT") && contentLength !== 0) {
      throw new HttpError(400, `${method} with content`);
    }
    if (facts.expect > 0 && current && !(facts.expect === 1 && facts.expectContinue)) {
      throw new HttpError(417, "the only expectation met here is 100-continue");
    }
    return new ParsedHead(
      method,
      target,
      current ? "1.1" : "1.0",
      !facts.close && (current || facts.keepAlive),
      method === "CONNECT" || (current && facts.upgrade && facts.connectionUpgrade),
      current && facts.expectContinue && contentLength !== 0,
      contentLength,
      text.substring(scanner.fieldsStart),
    );
  }

  /** RFC 9112 section 6.1 and 6.3. */
  #checkEncoding(current: boolean): void {
    const facts = this.#facts;
    if (!current) throw new HttpError(400, "Transfer-Encoding in HTTP/1.0");
    if (facts.lengths > 0) throw new HttpError(400, "Content-Length together with Transfer-Encoding");
    if (facts.encodings > 1 || !facts.chunked) {
      throw new HttpError(501, "the only transfer coding understood here is chunked");
    }
  }

  /** RFC 9112 section 7.1: chunk-size [ chunk-ext ] CRLF. */
  BODY_CHUNKHEAD(): boolean {
    const bytes = this.chunk as Buffer;
    while (this.offset < this.end) {
      const byte = bytes[this.offset] as number;
      if (this.#lineFeedDue) {
        if (byte !== LF) throw new HttpError(400, "CR without LF behind a chunk size");
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
    if (this.#extensionBytes > EXTENSION_BYTES)
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
      this.#facts.trailers = true;
      this.#scanner.resetForTrailers();
      this.state = "BODY_CHUNKTRAILERS";
    }
  }

  /** The CRLF behind the data of a chunk. */
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
    this.#trailers = splitFields(this.#scanner.text);
    this.nextRequest();
    return true;
  }

  /** kOnBody: the machine's BODY_SIZED and BODY_CHUNK hand content to this. */
  [HTTPParser.kOnBody](chunk: Buffer): void {
    this.#events.onBody(chunk);
  }
}
