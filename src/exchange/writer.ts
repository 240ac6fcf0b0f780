/** The writer that `respond` returns when called without content. */
import type { HeadersInput, ResponseWriter } from "../gateway/types.ts";

/** The members of a response that a writer uses. */
export interface WritableAnswer {
  sendHead(): void;
  send(chunk: string | Uint8Array): boolean;
  room(): Promise<void>;
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

export class AnswerWriter implements ResponseWriter {
  readonly #answer: WritableAnswer;

  constructor(answer: WritableAnswer) {
    this.#answer = answer;
  }

  write(chunk: string | Uint8Array): Promise<void> {
    try {
      return this.#answer.send(chunk) ? READY : observed(this.#answer.room());
    } catch (error) {
      return observed(Promise.reject(error));
    }
  }

  end(chunk?: string | Uint8Array | null, trailers?: HeadersInput): Promise<void> {
    try {
      this.#answer.endContent(chunk, trailers);
    } catch (error) {
      return observed(Promise.reject(error));
    }
    return this.#answer.finished();
  }

  flush(): Promise<void> {
    this.#answer.sendHead();
    return READY;
  }

  destroy(error: Error = new Error("the app gave the response up")): void {
    this.#answer.fail(error);
  }
}
