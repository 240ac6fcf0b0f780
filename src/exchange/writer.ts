/** The writer that `respond` returns when called without content. */
import type { HeadersInput, ResponseWriter } from "../gateway/types.ts";

/** The members of a response that a writer uses. */
export interface WritableResponse {
  sendHead(): void;
  send(chunk: string | Uint8Array): boolean;
  whenWritable(): Promise<void>;
  endContent(last?: string | Uint8Array | null, trailers?: HeadersInput): void;
  finished(): Promise<void>;
  fail(error: unknown): void;
}

const READY = Promise.resolve();

/** Marks a rejection as handled: a caller may ignore the promise, because the response reports its own failure. */
function observed(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

export class ExchangeWriter implements ResponseWriter {
  readonly #response: WritableResponse;

  constructor(response: WritableResponse) {
    this.#response = response;
  }

  write(chunk: string | Uint8Array): Promise<void> {
    try {
      return this.#response.send(chunk) ? READY : observed(this.#response.whenWritable());
    } catch (error) {
      return observed(Promise.reject(error));
    }
  }

  end(chunk?: string | Uint8Array | null, trailers?: HeadersInput): Promise<void> {
    try {
      this.#response.endContent(chunk, trailers);
    } catch (error) {
      return observed(Promise.reject(error));
    }
    return this.#response.finished();
  }

  flush(): Promise<void> {
    this.#response.sendHead();
    return READY;
  }

  destroy(error: Error = new Error("the app gave the response up")): void {
    this.#response.fail(error);
  }
}
