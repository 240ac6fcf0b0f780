/**
 * Reads a request line and field section (or a trailer section) in one pass, byte by byte. The verdict
 * depends on the bytes alone, never on how they were split into chunks: this object holds all state
 * between two bytes, and every rule is applied at the first byte that breaks it.
 *
 * A head that arrives whole is read in place; only one that arrives in pieces is copied.
 */
import { HttpError } from "../errors.ts";
import { TARGET_BYTE, TOKEN_BYTE, VALUE_BYTE } from "./grammar.ts";
import { HeadBuffer } from "./head-buffer.ts";
import type { FieldListener } from "./head-facts.ts";
import { HeadLimitError, type RequestLimits } from "./head-limit.ts";
import { memoryOf, type RequestLine, WholeLines } from "./whole-lines.ts";

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;

const State = {
  start: 0,
  blankLineFeed: 1,
  firstByte: 2,
  method: 3,
  target: 4,
  version: 5,
  requestLineFeed: 6,
  fieldStart: 7,
  name: 8,
  value: 9,
  fieldLineFeed: 10,
  lastLineFeed: 11,
  done: 12,
} as const;

/** One for all: it holds nothing between two calls. */
const lines = new WholeLines();

/** Bytes of a refused head that are kept for the log. */
const MAX_REFUSED_BYTES = 8192;

const VERSION = Buffer.from("HTTP/");
const VERSION_LENGTH = 8;

export class HeadScanner implements RequestLine {
  /** Length of the method. The target begins one byte after it. */
  methodEnd = 0;
  targetEnd = 0;
  /** Offset of the field section. */
  fieldsStart = 0;
  major = 1;
  minor = 1;
  readonly #limits: RequestLimits;
  readonly #reader: FieldListener;
  #state: number = State.start;
  #inTrailers = false;
  #fields = 0;
  #lineStart = 0;
  #nameEnd = 0;
  #text = "";
  /** The part of the head that arrived in earlier chunks, if any. */
  #kept: HeadBuffer | undefined;

  constructor(limits: RequestLimits, reader: FieldListener) {
    this.#limits = limits;
    this.#reader = reader;
  }

  /** Begins a request head. */
  resetForRequest(): void {
    this.#state = State.start;
    this.#inTrailers = false;
    this.#fields = 0;
  }

  /** Begins a trailer section: field lines up to an empty line. */
  resetForTrailers(): void {
    this.#state = State.fieldStart;
    this.#inTrailers = true;
    this.#fields = 0;
    this.fieldsStart = 0;
  }

  /** True if nothing of a head has arrived. A blank line before it does not count. */
  get idle(): boolean {
    return this.#state === State.start || this.#state === State.firstByte;
  }

  /** True if the last `scan` reached the end of the head. */
  get done(): boolean {
    return this.#state === State.done;
  }

  /** The validated text, until `releaseText` releases it. */
  get text(): string {
    return this.#text;
  }

  /**
   * Returns and releases the validated text (Latin-1), from the first byte to the CRLF of the empty line. Call after
   * `done`. An idle connection must not hold the head of its last request in memory.
   */
  releaseText(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  /**
   * Scans `chunk[start..end)` and returns where it stopped: after the head, or at `end`.
   *
   * @throws HttpError for a malformed or oversized head
   */
  scan(chunk: Buffer, start: number, end: number): number {
    if (this.#kept !== undefined) return this.#scanKept(this.#kept, chunk, start, end);
    let from = start;
    if (this.#state < State.method) {
      from = this.#skipBlankLine(chunk, start, end);
      if (from === end) return end;
    }
    let stop: number;
    try {
      stop = this.#read(chunk, from, from, end);
    } catch (error) {
      this.#kept = new HeadBuffer(chunk, from, Math.min(end, from + MAX_REFUSED_BYTES));
      throw error;
    }
    if (this.#state === State.done) this.#text = chunk.toString("latin1", from, stop);
    else this.#kept = new HeadBuffer(chunk, from, end);
    return stop;
  }

  /** The received part of an incomplete or refused head, as unvalidated Latin-1. */
  get received(): string {
    if (this.#state === State.done) return this.#text;
    return this.#kept?.text(MAX_REFUSED_BYTES) ?? "";
  }

  /** Bytes of memory held for an incomplete head. */
  get heldBytes(): number {
    return this.#kept?.bytes.length ?? 0;
  }

  /** Releases the buffer of an incomplete head. */
  drop(): void {
    this.#kept = undefined;
  }

  #scanKept(kept: HeadBuffer, chunk: Buffer, start: number, end: number): number {
    const before = kept.length;
    kept.append(chunk, start, end);
    const stop = this.#read(kept.bytes, 0, before, kept.length);
    if (this.#state === State.done) {
      this.#text = kept.bytes.toString("latin1", 0, stop);
      this.#kept = undefined;
    }
    return start + stop - before;
  }

  /** RFC 9112 section 2.2: one empty line before a request line is ignored; a second one is refused. */
  #skipBlankLine(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      const byte = bytes[at] as number;
      if (this.#state === State.start && byte === CR) {
        this.#state = State.blankLineFeed;
      } else if (this.#state === State.blankLineFeed) {
        if (byte !== LF) throw new HttpError(400, "CR without LF before the request line");
        this.#state = State.firstByte;
      } else {
        this.#state = State.method;
        return at;
      }
      at += 1;
    }
    return at;
  }

  /** The state machine. `origin` is the index of the head in `bytes`; stored positions are relative to it. */
  #read(bytes: Buffer, origin: number, start: number, end: number): number {
    let at = start;
    if (this.#state < State.fieldStart) {
      at = this.#readRequestLine(bytes, origin, at, end);
      if (this.#state < State.fieldStart) return at;
    }
    return this.#readFields(bytes, origin, at, end);
  }

  #readRequestLine(bytes: Buffer, origin: number, start: number, end: number): number {
    if (start === origin) {
      const stop = lines.takeRequestLine(bytes, start, end, this.#limits.requestLine, this);
      if (stop !== start) {
        this.#state = State.fieldStart;
        return stop;
      }
    }
    let at = start;
    const limit = origin + this.#limits.requestLine;
    const bound = Math.min(end, limit);
    if (this.#state === State.method) {
      while (at < bound && TOKEN_BYTE[bytes[at] as number] === 1) at += 1;
      if (at === end) return at;
      if (at === limit) throw requestLineError(bytes[at] as number);
      if (bytes[at] !== SP || at === origin) throw new HttpError(400, "malformed method in the request line");
      this.methodEnd = at - origin;
      this.#state = State.target;
      at += 1;
    }
    if (this.#state === State.target) {
      while (at < bound && TARGET_BYTE[bytes[at] as number] === 1) at += 1;
      if (at === end) return at;
      if (at >= limit) throw requestLineError(bytes[at] as number);
      if (bytes[at] !== SP || at - origin === this.methodEnd + 1) {
        throw new HttpError(400, "malformed request-target in the request line");
      }
      this.targetEnd = at - origin;
      this.#state = State.version;
      at += 1;
    }
    if (this.#state === State.version) {
      at = this.#readVersion(bytes, origin + this.targetEnd + 1, at, end, limit);
    }
    if (this.#state === State.requestLineFeed && at < end) {
      if (bytes[at] !== LF) throw new HttpError(400, "CR without LF in the request line");
      at += 1;
      this.fieldsStart = at - origin;
      this.#state = State.fieldStart;
    }
    return at;
  }

  #readVersion(bytes: Buffer, versionStart: number, start: number, end: number, limit: number): number {
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at] as number;
      const index = at - versionStart;
      if (at >= limit && byte !== CR) throw new HeadLimitError("requestLine");
      if (index < VERSION.length) {
        if (byte !== VERSION[index]) throw new HttpError(400, "malformed HTTP version in the request line");
      } else if (index === 6) {
        if (byte !== 0x2e) throw new HttpError(400, "malformed HTTP version in the request line");
      } else if (index < VERSION_LENGTH) {
        const digit = byte - 0x30;
        if (digit < 0 || digit > 9) throw new HttpError(400, "malformed HTTP version in the request line");
        if (index === 5) this.major = digit;
        else this.minor = digit;
      } else {
        if (byte !== CR) throw new HttpError(400, "malformed end of the request line");
        if (this.major !== 1 || this.minor > 1) {
          throw new HttpError(505, `HTTP/${this.major}.${this.minor} is not supported, only 1.1 and 1.0`);
        }
        this.#state = State.requestLineFeed;
        return at + 1;
      }
    }
    return end;
  }

  #readFields(bytes: Buffer, origin: number, start: number, end: number): number {
    const fieldSize = this.#limits.fieldSize;
    let at = start;
    let state = this.#state;
    let lineStart = this.#lineStart + origin;
    let limit = lineStart + fieldSize;
    while (at < end) {
      if (state === State.fieldStart) {
        if (!this.#inTrailers) at = this.#takeWholeLines(bytes, at, end);
        if (at === end) break;
        if (bytes[at] === CR) {
          state = State.lastLineFeed;
          at += 1;
          continue;
        }
        this.#fields += 1;
        if (this.#fields > this.#limits.fields) throw new HeadLimitError("fields");
        lineStart = at;
        limit = at + fieldSize;
        state = State.name;
      }
      if (state === State.name) {
        const bound = Math.min(end, limit);
        while (at < bound && TOKEN_BYTE[bytes[at] as number] === 1) at += 1;
        if (at === end) break;
        if (at === limit) throw new HeadLimitError("fieldSize");
        if (bytes[at] !== COLON || at === lineStart)
          throw fieldNameError(bytes[at] as number, at === lineStart);
        this.#nameEnd = at - origin;
        state = State.value;
        at += 1;
      }
      if (state === State.value) {
        const bound = Math.min(end, limit);
        while (at < bound && VALUE_BYTE[bytes[at] as number] === 1) at += 1;
        if (at === end) break;
        if (bytes[at] !== CR) {
          if (at >= limit) throw new HeadLimitError("fieldSize");
          throw new HttpError(400, "a control character in a header field");
        }
        this.#endField(bytes, lineStart, this.#nameEnd + origin, at);
        state = State.fieldLineFeed;
        at += 1;
        if (at === end) break;
      }
      // The state is fieldLineFeed or lastLineFeed.
      if (bytes[at] !== LF) throw new HttpError(400, "CR without LF in the header section");
      at += 1;
      if (state === State.lastLineFeed) {
        this.#state = State.done;
        return at;
      }
      state = State.fieldStart;
    }
    this.#state = state;
    this.#lineStart = lineStart - origin;
    return at;
  }

  /** Returns where the first line begins that must be read byte by byte. */
  #takeWholeLines(bytes: Buffer, start: number, end: number): number {
    const limits = this.#limits;
    const names = this.#reader.noted;
    const memory = memoryOf(bytes);
    let at = start;
    do {
      at = lines.take(bytes, memory, at, end, limits.fields - this.#fields, limits.fieldSize, names);
      this.#fields += lines.count;
      if (lines.noted) this.#endField(bytes, lines.lineStart, lines.nameEnd, at - 2);
    } while (lines.noted);
    return at;
  }

  #endField(bytes: Buffer, lineStart: number, nameEnd: number, lineEnd: number): void {
    let from = nameEnd + 1;
    let to = lineEnd;
    while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from += 1;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to -= 1;
    this.#reader.onField(bytes, lineStart, nameEnd, from, to);
  }
}

function requestLineError(byte: number): HttpError {
  return byte === CR ? new HttpError(400, "the request line ends early") : new HeadLimitError("requestLine");
}

function fieldNameError(byte: number, first: boolean): HttpError {
  if (first && (byte === SP || byte === HTAB)) return new HttpError(400, "a folded header line");
  if (byte === SP || byte === HTAB)
    return new HttpError(400, "white space before the colon of a header field");
  return new HttpError(400, "malformed header field name");
}
