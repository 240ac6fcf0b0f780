/**
 * The content of one request: read once, in one way, with backpressure. A server pushes into it and an app
 * reads from it; neither knows the other. The source is not started before the first read.
 */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { BodyError, GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import type { BodyOptions, RequestBody } from "../gateway/types.ts";
import {
  type AnyCollector,
  asBytes,
  asJson,
  asText,
  Collector,
  type Conversion,
  plainBytes,
} from "./collector.ts";

/** The source of the content. */
export interface BodySource {
  /** Called on the first read: send 100 Continue if the client expects it, then push. */
  start(): void;
  /** Stop pushing for now; a push or two more does no harm. */
  pause(): void;
  resume(): void;
  /** A reader has refused the content as too large. */
  refused?(error: BodyError): void;
}

/** Bytes buffered for a slow reader before the source is paused. */
const HIGH_WATER_MARK_BYTES = 65536;

/** Smaller pieces are joined while they wait, because a one-byte chunk costs a hundred bytes of memory. */
const SMALL_PIECE_BYTES = 1024;
const JOINED_BYTES = 8192;

type Waiter = { resolve(result: IteratorResult<Uint8Array, undefined>): void; reject(error: Error): void };

const DONE: IteratorResult<Uint8Array, undefined> = { done: true, value: undefined };
const NO_TRAILERS: readonly string[] = [];

/** @throws GatewayError for an invalid limit, such as NaN, with which no content would be too large */
function checkedLimit(options: BodyOptions | undefined): number | undefined {
  const limit: unknown = options?.limit;
  if (limit === undefined || (typeof limit === "number" && limit >= 0)) return limit;
  throw new GatewayError(clause.bodyLimit, `the limit ${String(limit)} is not a number of bytes`);
}

export class MessageBody implements RequestBody {
  readonly length: number | undefined;
  /** Alternating names and values; complete once the body is. */
  rawTrailers: readonly string[] = NO_TRAILERS;
  /** Unset once the content has ended or failed: a late reader must not affect the next request. */
  #source: BodySource | undefined;
  readonly #limit: number;
  #used = false;
  #started = false;
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** The buffer of the queue's last piece, if that is joined from small pieces and has room for more. */
  #joined: Buffer | undefined;
  #paused = false;
  #ended: boolean;
  #abandoned = false;
  #error: Error | undefined;
  /** Pending reads, the earliest first: a reader may call `next` again without awaiting the last. */
  readonly #waiters: Waiter[] = [];
  #collector: AnyCollector | undefined;

  /**
   * @param length declared bytes; 0 for a request without content, undefined if unknown
   * @param source undefined for a request without content
   * @param limit maximum bytes for every reader, `Infinity` for no limit
   */
  constructor(length: number | undefined, source?: BodySource, limit = Number.POSITIVE_INFINITY) {
    this.length = length;
    this.#source = source;
    this.#limit = limit;
    this.#ended = source === undefined;
  }

  get used(): boolean {
    return this.#used;
  }

  /** True once all content has been pushed. For servers. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True if the reader has stopped: further content is discarded. For servers. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** Adds a piece of content. The body owns it from now on. For servers. */
  push(chunk: Uint8Array): void {
    if (this.#abandoned || this.#error !== undefined) return;
    if (this.#collector !== undefined) {
      this.#addTo(this.#collector, chunk);
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: plainBytes(chunk) });
      return;
    }
    if (chunk.length < SMALL_PIECE_BYTES && this.#queue.length > 0) {
      this.#joinPiece(chunk);
    } else {
      this.#joined = undefined;
      this.#queue.push(chunk);
    }
    this.#queued += chunk.length;
    if (this.#queued > HIGH_WATER_MARK_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source?.pause();
    }
  }

  /** Like `push`, with a piece that is valid only during the call. For servers. */
  pushBorrowed(chunk: Uint8Array): void {
    const collector = this.#collector;
    if (collector === undefined || chunk.length !== this.length) {
      this.push(Buffer.from(chunk));
      return;
    }
    // All of it: converted in place, most small requests need no copy.
    this.#collector = undefined;
    collector.takeWhole(chunk);
  }

  #joinPiece(chunk: Uint8Array): void {
    const last = this.#queue.length - 1;
    const joined = this.#joined;
    const length = (this.#queue[last] as Uint8Array).length;
    if (joined !== undefined && length + chunk.length <= JOINED_BYTES) {
      joined.set(chunk, length);
      this.#queue[last] = joined.subarray(0, length + chunk.length);
      return;
    }
    this.#joined = Buffer.allocUnsafe(JOINED_BYTES);
    this.#joined.set(chunk);
    this.#queue.push(this.#joined.subarray(0, chunk.length));
  }

  /** Ends the body: all content has been pushed. For servers. */
  end(rawTrailers: readonly string[] = NO_TRAILERS): void {
    this.#ended = true;
    this.#source = undefined;
    this.rawTrailers = rawTrailers;
    const collector = this.#collector;
    this.#collector = undefined;
    collector?.end();
    this.#settleWaiters((waiter) => waiter.resolve(DONE));
  }

  /** Fails the body: the content is incomplete, and every read rejects with `error`. For servers. */
  fail(error: Error): void {
    if (this.#ended || this.#error !== undefined) return;
    this.#error = error;
    this.#source = undefined;
    this.#failCollector(error);
    this.#settleWaiters((waiter) => waiter.reject(error));
  }

  bytes(options?: BodyOptions): Promise<Uint8Array> {
    return this.#read(asBytes, options);
  }

  text(options?: BodyOptions): Promise<string> {
    return this.#read(asText, options);
  }

  json<T = unknown>(options?: BodyOptions): Promise<T> {
    return this.#read(asJson as Conversion<T>, options);
  }

  #read<Value>(convert: Conversion<Value>, options: BodyOptions | undefined): Promise<Value> {
    try {
      const limit = Math.min(checkedLimit(options) ?? this.#limit, this.#limit);
      // Check before reading: a client that expects 100 Continue must not send content that is refused.
      if (this.length !== undefined && this.length > limit && !this.#used) throw this.#tooLarge(limit);
      this.#claim();
      return new Promise((resolve, reject) => {
        this.#collect(new Collector(limit, convert, resolve, reject));
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  stream(): Readable {
    const stream = Readable.from(this, { objectMode: false });
    // As on Node's own requests: an aborted upload must not crash the worker of an app without an error listener.
    stream.on("error", () => {});
    return stream;
  }

  web(): ReadableStream<Uint8Array> {
    const iterator = this[Symbol.asyncIterator]();
    // Use the global, which is the same class as node:stream/web's but loads web streams only on demand.
    return new globalThis.ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await iterator.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        },
        async cancel() {
          await iterator.return();
        },
      },
      { highWaterMark: 0 },
    );
  }

  [Symbol.asyncIterator](): { next(): Promise<IteratorResult<Uint8Array, undefined>> } & {
    return(): Promise<IteratorResult<Uint8Array, undefined>>;
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined>;
  } {
    this.#claim();
    let size = 0;
    const iterator = {
      next: async () => {
        const next = await this.#next();
        if (next.done !== true) {
          size += next.value.length;
          if (size > this.#limit) throw this.#tooLarge(this.#limit);
        }
        return next;
      },
      return: async () => {
        this.#abandon();
        return DONE;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #collect(collector: AnyCollector): void {
    this.#start();
    // From now on nothing is queued, but what has been queued comes first.
    this.#collector = collector;
    const queue = this.#queue;
    if (queue.length > 0) this.#emptyQueue();
    for (const chunk of queue) if (this.#collector !== undefined) this.#addTo(collector, chunk);
    if (this.#collector === undefined) return;
    if (this.#error !== undefined) this.#failCollector(this.#error);
    else if (this.#ended) this.end(this.rawTrailers);
    else this.#resume();
  }

  #addTo(collector: AnyCollector, chunk: Uint8Array): void {
    collector.add(chunk);
    if (collector.size > collector.limit) this.#failCollector(this.#tooLarge(collector.limit));
  }

  #failCollector(error: Error): void {
    const collector = this.#collector;
    this.#collector = undefined;
    collector?.fail(error);
  }

  #claim(): void {
    if (this.#used)
      throw new GatewayError(
        clause.bodyOnce,
        "the request body has been read already, and can be read only once",
      );
    this.#used = true;
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#source?.start();
  }

  #emptyQueue(): void {
    this.#queue = [];
    this.#joined = undefined;
    this.#queued = 0;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source?.resume();
  }

  #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#start();
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      if (this.#queue.length === 0) this.#joined = undefined;
      this.#queued -= chunk.length;
      if (this.#queued < HIGH_WATER_MARK_BYTES / 2) this.#resume();
      return Promise.resolve({ done: false, value: plainBytes(chunk) });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended || this.#abandoned) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Settles all pending reads, which get no more content. */
  #settleWaiters(settle: (waiter: Waiter) => void): void {
    for (const waiter of this.#waiters.splice(0)) settle(waiter);
  }

  #abandon(): void {
    this.#abandoned = true;
    this.#emptyQueue();
    this.#settleWaiters((waiter) => waiter.resolve(DONE));
    this.#resume();
  }

  #tooLarge(limit: number): BodyError {
    this.#used = true;
    this.#abandon();
    const error = new BodyError(413, `the request body is larger than ${limit} bytes`);
    this.#source?.refused?.(error);
    return error;
  }
}
