/** A request body that checks the server against section 5 while the app reads it. */
import type { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { violation } from "./lint-violation.ts";
import type { BodyOptions, RequestBody } from "./types.ts";

const METHODS = ["bytes", "text", "json", "stream", "web"] as const;

/** Errors that reading may throw (5.1.3, 5.2.1). */
const ERRORS = new Set(["BodyError", "GatewayError"]);

export class LintedBody implements RequestBody {
  readonly #body: RequestBody;

  constructor(body: RequestBody) {
    if (typeof body !== "object" || body === null) throw violation("4.1.1", "the request has no body object");
    for (const name of METHODS) {
      if (typeof body[name] !== "function") throw violation("5.1.4", `body.${name} is not a function`);
    }
    if (typeof body[Symbol.asyncIterator] !== "function")
      throw violation("5.1.1", "the body is not an async iterable");
    const { length } = body;
    if (length !== undefined && !(Number.isSafeInteger(length) && length >= 0)) {
      throw violation("5.1.2", `body.length is ${String(length)}`);
    }
    if (typeof body.used !== "boolean") throw violation("5.2.2", `body.used is ${String(body.used)}`);
    this.#body = body;
  }

  get length(): number | undefined {
    return this.#body.length;
  }

  get used(): boolean {
    return this.#body.used;
  }

  async bytes(options?: BodyOptions): Promise<Uint8Array> {
    const bytes = await this.#read(() => this.#body.bytes(options), options);
    if (!(bytes instanceof Uint8Array)) throw violation("5.1.4", "bytes() did not return a Uint8Array");
    this.#checkSize(bytes.length, true);
    return bytes;
  }

  async text(options?: BodyOptions): Promise<string> {
    const text = await this.#read(() => this.#body.text(options), options);
    if (typeof text !== "string") throw violation("5.1.4", "text() did not return a string");
    return text;
  }

  json<T = unknown>(options?: BodyOptions): Promise<T> {
    return this.#read(() => this.#body.json<T>(options), options);
  }

  stream(): Readable {
    const stream = this.#begin(() => this.#body.stream());
    if (typeof stream?.pipe !== "function") throw violation("5.1.4", "stream() did not return a Readable");
    return stream;
  }

  web(): ReadableStream<Uint8Array> {
    const stream = this.#begin(() => this.#body.web());
    if (typeof stream?.getReader !== "function")
      throw violation("5.1.4", "web() did not return a ReadableStream");
    return stream;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    const iterator = this.#begin(() => this.#body[Symbol.asyncIterator]());
    let size = 0;
    let stopped = false;
    return {
      next: async () => {
        const next = await iterator.next().catch((error: unknown) => this.#failed(error));
        if (next.done === true) {
          this.#checkSize(size, !stopped);
          return { done: true, value: undefined };
        }
        if (!(next.value instanceof Uint8Array))
          throw violation("5.1.1", "a piece of the body is not a Uint8Array");
        size += next.value.length;
        this.#checkSize(size, false);
        return next;
      },
      return: async () => {
        stopped = true;
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** Starts a way to read. The server must accept the first and refuse any other. */
  #begin<T>(choose: () => T): T {
    const used = this.#body.used;
    const chosen = choose();
    if (used) throw violation("5.2.1", "the server allows a body to be read twice");
    if (!this.#body.used) throw violation("5.2.2", "body.used is false after reading has begun");
    return chosen;
  }

  async #read<T>(choose: () => Promise<T>, options: BodyOptions | undefined): Promise<T> {
    const limit = options?.limit;
    if (limit !== undefined && !(typeof limit === "number" && limit >= 0)) {
      throw violation("5.4.1", `the limit ${String(limit)} is not a number of bytes`);
    }
    const used = this.#body.used;
    const result = await choose().catch((error: unknown) => this.#failed(error));
    if (used) throw violation("5.2.1", "the server allows a body to be read twice");
    return result;
  }

  #failed(error: unknown): never {
    if (error instanceof Error && ERRORS.has(error.name)) throw error;
    throw violation("5.1.3", `reading failed with ${String(error)}, which is not a BodyError`);
  }

  /** A complete body must have the declared length, and a partial one must not exceed it. */
  #checkSize(size: number, complete: boolean): void {
    const { length } = this.#body;
    if (length === undefined || (complete ? size === length : size <= length)) return;
    throw violation("5.1.3", `the body has ${size} bytes, but its declared length is ${length}`);
  }
}
