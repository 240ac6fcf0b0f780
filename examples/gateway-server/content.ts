/** The content of a request (docs/gateway.md, section 5). */
import { Readable } from "node:stream";
import { inspect } from "node:util";
import type { BodyOptions, RequestBody } from "tsgun/gateway";
import { misuse, refusal } from "./errors.ts";
import { NO_TRAILER, type Pairs, parseField, without } from "./fields.ts";
import type { Wire } from "./wire.ts";

/** No trailers are longer together, in bytes. */
const TRAILERS_LIMIT = 32_768;
/** Content that no app wants is read up to here, so that the connection can be used again (5.3.4). */
export const DISCARD_LIMIT = 262_144;

export class Content implements RequestBody {
  readonly length: number | undefined;
  used = false;
  trailers: Pairs = [];
  error: Error | undefined;
  done: boolean;
  /** Resolves when nobody reads any more. */
  readonly settled: Promise<void>;
  #settle!: () => void;
  readonly #wire: Wire;
  readonly #limit: number;
  readonly #demand: () => void;
  /** Bytes left of the content, or of a chunk. */
  #left: number;
  #taken = 0;
  #asked = false;
  #inChunk = false;
  #reading: Promise<unknown> = Promise.resolve();
  /** The reader has stopped early: what it still waits for has ended. */
  #stopped = false;
  /** The answer is complete, and nobody has begun to read. */
  #gone = false;

  /** `demand` asks the client for the content (5.3.1). */
  constructor(wire: Wire, length: number | undefined, limit: number, demand: () => void) {
    this.#wire = wire;
    this.length = length;
    this.#left = length ?? 0;
    this.#limit = limit;
    this.#demand = demand;
    this.done = length === 0;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** The next piece; undefined at the end. */
  async next(limit = this.#limit): Promise<Uint8Array | undefined> {
    if (this.#gone) throw refusal(400, "the answer is complete: the content is gone (5.3.5)");
    if (this.error !== undefined) throw this.error;
    if (this.done || this.#stopped) return undefined;
    const piece = this.#read(limit);
    this.#reading = piece.catch(() => {});
    return await piece;
  }

  async #read(limit: number): Promise<Uint8Array | undefined> {
    try {
      if (this.length !== undefined && this.length > limit)
        throw refusal(413, `the content is longer than ${limit} bytes`);
      if (!this.#asked) this.#demand();
      this.#asked = true;
      const piece = this.length === undefined ? await this.#chunk() : await this.#some();
      this.#taken += piece?.length ?? 0;
      if (this.#taken > limit) throw refusal(413, `the content is longer than ${limit} bytes`);
      this.done = piece === undefined;
      if (this.done) this.#settle();
      return piece;
    } catch (error) {
      this.error = error as Error;
      this.#settle();
      throw error;
    }
  }

  async #some(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    while (this.#wire.unread.length === 0) {
      if (this.error !== undefined) throw this.error;
      if (this.#wire.ended) throw refusal(400, "the content has ended early");
      await this.#wire.more();
    }
    const piece = new Uint8Array(this.#wire.shift(Math.min(this.#left, this.#wire.unread.length)));
    this.#left -= piece.length;
    return piece;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#wire.unread.indexOf("\r\n");
      if (end > 8192 || (end < 0 && this.#wire.unread.length > 8192))
        throw refusal(400, "a line of the content is too long");
      if (end >= 0) return this.#wire.shift(end + 2).toString("latin1", 0, end);
      if (this.#wire.ended) throw refusal(400, "the content has ended early");
      await this.#wire.more();
    }
  }

  async #chunk(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) {
      if (this.#inChunk && (await this.#line()) !== "") throw refusal(400, "a chunk is longer than its size");
      const size = /^([\da-fA-F]{1,12})[\t ]*(;[\t\x20-\x7e\x80-\xff]*)?$/.exec(await this.#line())?.[1];
      if (size === undefined) throw refusal(400, "the size of a chunk is invalid");
      this.#inChunk = true;
      this.#left = Number.parseInt(size, 16);
      if (this.#left === 0) {
        const trailers: Pairs = [];
        let total = 0;
        for (let line = await this.#line(); line !== ""; line = await this.#line()) {
          total += line.length;
          if (total > TRAILERS_LIMIT) throw refusal(431, "the trailers are too long");
          trailers.push(parseField(line));
        }
        this.trailers = without(trailers, NO_TRAILER);
        return undefined;
      }
    }
    return await this.#some();
  }

  /** After the answer: content that nobody has begun to read is gone (5.3.5). */
  leave(): void {
    this.#gone = !this.used && !this.done;
  }

  /** Reads what is left; false if that is too much, or broken (5.3.4). */
  async discard(): Promise<boolean> {
    this.#asked = true;
    const start = this.#taken;
    // A reader that has stopped may have left a read behind.
    await this.#reading;
    try {
      while (!this.done && (await this.#read(Number.POSITIVE_INFINITY)) !== undefined)
        if (this.#taken - start > DISCARD_LIMIT) return false;
      return true;
    } catch {
      return false;
    }
  }

  #claim(): void {
    if (this.used) throw misuse("the body is read already: it can be read once, in one way (5.2.1)");
    this.used = true;
    if (this.done) this.#settle();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#claim();
    // One read at a time: the next one begins where the one before has ended.
    let last: Promise<unknown> = Promise.resolve();
    let stop = (): void => {};
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
    });
    const end = { done: true, value: undefined } as const;
    return {
      next: () => {
        const piece = last.then(() => Promise.race([this.next(), stopped]));
        last = piece.catch(() => {});
        return piece.then((value) => (value === undefined ? end : { done: false, value }));
      },
      return: async () => {
        this.#stopped = true;
        stop();
        this.#settle();
        return end;
      },
    };
  }

  async bytes({ limit = Number.POSITIVE_INFINITY }: BodyOptions = {}): Promise<Uint8Array> {
    if (typeof limit !== "number" || !(limit >= 0))
      throw misuse(`limit is a number from 0 on, not ${inspect(limit)}`);
    this.#claim();
    const pieces: Uint8Array[] = [];
    const bound = Math.min(limit, this.#limit);
    for (let piece = await this.next(bound); piece !== undefined; piece = await this.next(bound))
      pieces.push(piece);
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let offset = 0;
    for (const piece of pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return whole;
  }

  async text(given?: BodyOptions): Promise<string> {
    return new TextDecoder().decode(await this.bytes(given));
  }

  async json<T>(given?: BodyOptions): Promise<T> {
    const text = await this.text(given);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw refusal(400, "the content is no JSON");
    }
  }

  stream(): Readable {
    return Readable.from(this, { objectMode: false }).on("error", () => {});
  }

  web(): ReturnType<RequestBody["web"]> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { value, done } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await pieces.return?.()),
      },
      { highWaterMark: 0 },
    ) as ReturnType<RequestBody["web"]>;
  }
}
