/** The writer that `respond` returns when called without content. */
import type { HeadersInput, ResponseWriter } from "../gateway/types.ts";
import type { ResponseStream } from "./response-stream.ts";

/** The members of a response that its writer uses. */
export interface WrittenResponse {
  finished(): Promise<void>;
  fail(error: unknown): void;
}

const READY = Promise.resolve();

/** Marks a rejection as handled: a caller may ignore the promise, because the response reports its own failure. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

export class ExchangeWriter implements ResponseWriter {
  readonly #response: WrittenResponse;
  readonly #stream: ResponseStream;

  constructor(response: WrittenResponse, stream: ResponseStream) {
    this.#response = response;
    this.#stream = stream;
  }

  write(chunk: string | Uint8Array): Promise<void> {
    try {
      return this.#stream.send(chunk) ? READY : handled(this.#stream.whenWritable());
    } catch (error) {
      return handled(Promise.reject(error));
    }
  }

  end(chunk?: string | Uint8Array | null, trailers?: HeadersInput): Promise<void> {
    try {
      this.#stream.end(chunk, trailers);
    } catch (error) {
      return handled(Promise.reject(error));
    }
    return this.#response.finished();
  }

  flush(): Promise<void> {
    this.#stream.sendHead();
    return READY;
  }

  destroy(error: Error = new Error("the app destroyed the response")): void {
    this.#response.fail(error);
  }
}
