/**
 * Collects the few fields that frame and route a message while its head is scanned. Rules that concern
 * a single field are applied here, at the end of its line.
 */
import { HttpError } from "../errors.ts";
import { isTrailerName } from "../gateway/fields.ts";
import { isHost } from "../gateway/host.ts";
import { nameTable } from "./whole-lines.ts";

/** The last valid Host value. Nearly every request repeats it, so it is compared instead of parsed again. */
let knownHost: Uint8Array = Buffer.alloc(0);
let knownHostText = "";

// Bytes, since `charCodeAt` has to find out first how the string is stored, at every character.
const HOST = Buffer.from("host");
const EXPECT = Buffer.from("expect");
const UPGRADE = Buffer.from("upgrade");
const CONNECTION = Buffer.from("connection");
const CONTENT_LENGTH = Buffer.from("content-length");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding");
const FORWARDED_PREFIX = Buffer.from("x-forwarded-prefix");
const REQUEST_START = Buffer.from("x-request-start");
const CHUNKED = Buffer.from("chunked");
const CONTINUE = Buffer.from("100-continue");
const CLOSE = Buffer.from("close");
const KEEP_ALIVE = Buffer.from("keep-alive");

/** 1 for the fields below, and for few others, since only length and first letter count. */
const NOTED = nameTable([
  "host",
  "expect",
  "upgrade",
  "connection",
  "content-length",
  "transfer-encoding",
  "x-forwarded-prefix",
  "x-request-start",
]);

/** Receives the field lines. Positions are indexes into `bytes`. */
export interface FieldListener {
  /** The names that matter in a head, as a `nameTable`. */
  readonly noted: Uint8Array;
  /**
   * Called at the end of each field line of a trailer section, and of those of a head that may matter. The name is
   * `bytes[nameStart..nameEnd)`; the value is trimmed.
   */
  onField(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void;
}

/** How often each of these fields occurred, and their values. */
export class HeadFacts implements FieldListener {
  readonly noted = NOTED;
  hostCount = 0;
  lengthCount = 0;
  length = 0;
  encodingCount = 0;
  chunked = false;
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  upgrade = false;
  expectCount = 0;
  expectContinue = false;
  hasForwardedPrefix = false;
  hasRequestStart = false;
  /** The value of Host; empty without one. */
  host = "";
  /** True while a trailer section is read. */
  isTrailerSection = false;

  reset(): void {
    this.hostCount = 0;
    this.lengthCount = 0;
    this.length = 0;
    this.encodingCount = 0;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.upgrade = false;
    this.expectCount = 0;
    this.expectContinue = false;
    this.hasForwardedPrefix = false;
    this.hasRequestStart = false;
    this.host = "";
    this.isTrailerSection = false;
  }

  onField(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.isTrailerSection) {
      const name = bytes.toString("latin1", nameStart, nameEnd);
      if (!isTrailerName(name))
        throw new HttpError(400, `the field ${name} is not allowed in a trailer section`);
      return;
    }
    // The length alone rules out most fields, so no string is made for them.
    switch (nameEnd - nameStart) {
      case 4:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, HOST)) this.#onHost(bytes, valueStart, valueEnd);
        return;
      case 6:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, EXPECT)) this.#onExpect(bytes, valueStart, valueEnd);
        return;
      case 7:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, UPGRADE)) this.upgrade = valueEnd > valueStart;
        return;
      case 10:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, CONNECTION))
          this.#onConnection(bytes, valueStart, valueEnd);
        return;
      case 14:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, CONTENT_LENGTH))
          this.#onLength(bytes, valueStart, valueEnd);
        return;
      case 15:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, REQUEST_START)) this.hasRequestStart = true;
        return;
      case 17:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, TRANSFER_ENCODING)) {
          this.encodingCount += 1;
          this.chunked = equalsIgnoreCase(bytes, valueStart, valueEnd, CHUNKED);
        }
        return;
      case 18:
        if (equalsIgnoreCase(bytes, nameStart, nameEnd, FORWARDED_PREFIX)) this.hasForwardedPrefix = true;
        return;
    }
  }

  /** RFC 9112 section 3.2: at most one Host field, with a valid value. */
  #onHost(bytes: Buffer, start: number, end: number): void {
    this.hostCount += 1;
    if (this.hostCount > 1) throw new HttpError(400, "more than one Host field");
    if (!equals(bytes, start, end, knownHost)) {
      const host = bytes.toString("latin1", start, end);
      if (!isHost(host)) throw new HttpError(400, "the Host field is malformed");
      knownHost = Uint8Array.prototype.slice.call(bytes, start, end);
      knownHostText = host;
    }
    this.host = knownHostText;
  }

  #onExpect(bytes: Buffer, start: number, end: number): void {
    this.expectCount += 1;
    this.expectContinue = equalsIgnoreCase(bytes, start, end, CONTINUE);
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
      if (equalsIgnoreCase(bytes, first, last, CLOSE)) this.close = true;
      else if (equalsIgnoreCase(bytes, first, last, KEEP_ALIVE)) this.keepAlive = true;
      else if (equalsIgnoreCase(bytes, first, last, UPGRADE)) this.connectionUpgrade = true;
      from = to + 1;
    }
  }

  /** RFC 9110 section 8.6: 1*DIGIT, nothing else. */
  #onLength(bytes: Buffer, start: number, end: number): void {
    this.lengthCount += 1;
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

/** Compares ASCII case-insensitively. `word` is in lower case: letters, digits and hyphens only. */
function equalsIgnoreCase(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  const length = word.length;
  if (end - start !== length) return false;
  for (let index = 0; index < length; index += 1) {
    const byte = bytes[start + index] as number;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== word[index]) return false;
  }
  return true;
}

function equals(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  const length = expected.length;
  if (end - start !== length) return false;
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== expected[index]) return false;
  }
  return true;
}
