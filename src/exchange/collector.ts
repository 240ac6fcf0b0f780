/** Takes all content in one go, without a promise for each piece, and converts it for its reader. */
import { BodyError } from "../errors.ts";

const EMPTY = new Uint8Array(0);

/** Smaller pieces are joined, because a one-byte chunk costs a hundred bytes of memory. */
const SMALL_PIECE_BYTES = 1024;
/** Number of pieces after which they are joined into one, if they are small. */
const JOINED_PIECES = 512;

/** Removed from text, as fetch does (WHATWG Encoding, "UTF-8 decode"). */
const BYTE_ORDER_MARK = 0xfeff;

/** Converts all of the content. @param isBorrowed the bytes are valid only during the call */
export type Conversion<Value> = (bytes: Uint8Array, isBorrowed: boolean) => Value;

export function asBytes(bytes: Uint8Array, isBorrowed: boolean): Uint8Array {
  return plainBytes(isBorrowed ? Buffer.from(bytes) : bytes);
}

/** The same bytes as no Buffer: an app must not come to depend on its methods (gateway section 5.1.4). */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function asText(bytes: Uint8Array): string {
  const text = utf8Slice.call(bytes, 0, bytes.length);
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

/** @throws BodyError 400 for anything but JSON */
export function asJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(asText(bytes));
  } catch (cause) {
    throw new BodyError(400, `the request body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Works on any bytes; to make a Buffer of them first would cost more than to decode a small body. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** A collector of any value, as the body sees it. */
export type AnyCollector = Pick<Collector<unknown>, "limit" | "size" | "add" | "end" | "takeWhole" | "fail">;

export class Collector<Value> {
  /** Maximum bytes, for the body to apply. */
  readonly limit: number;
  size = 0;
  readonly #convert: Conversion<Value>;
  readonly #resolve: (value: Value) => void;
  readonly #reject: (error: unknown) => void;
  readonly #kept: Uint8Array[] = [];
  #latest: Uint8Array[] = [];
  #latestSize = 0;

  constructor(
    limit: number,
    convert: Conversion<Value>,
    resolve: (value: Value) => void,
    reject: (error: unknown) => void,
  ) {
    this.limit = limit;
    this.#convert = convert;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  add(piece: Uint8Array): void {
    this.size += piece.length;
    this.#latest.push(piece);
    this.#latestSize += piece.length;
    if (this.#latest.length < JOINED_PIECES) return;
    if (this.#latestSize < JOINED_PIECES * SMALL_PIECE_BYTES)
      this.#kept.push(Buffer.concat(this.#latest, this.#latestSize));
    else this.#kept.push(...this.#latest);
    this.#latest = [];
    this.#latestSize = 0;
  }

  /** All content has been added. */
  end(): void {
    this.#settle(this.#join(), false);
  }

  /** Takes all of the content at once, from bytes that are valid only during the call. */
  takeWhole(bytes: Uint8Array): void {
    this.#settle(bytes, true);
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  #settle(bytes: Uint8Array, isBorrowed: boolean): void {
    try {
      this.#resolve(this.#convert(bytes, isBorrowed));
    } catch (error) {
      this.#reject(error);
    }
  }

  #join(): Uint8Array {
    if (this.#latest.length === 1 && this.#kept.length === 0) return this.#latest[0] as Uint8Array;
    return this.size === 0 ? EMPTY : Buffer.concat([...this.#kept, ...this.#latest], this.size);
  }
}
