/**
 * The content of a response that is sent in pieces, by the app's writer or from a source. It holds the head back until
 * the first piece, and ensures that the content has the declared length. A response sent in one call needs none of this.
 */
import { AsyncResource } from "node:async_hooks";
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { forbidsContent } from "../gateway/statuses.ts";
import type { Finished, HeadersInput, ResponseWriter } from "../gateway/types.ts";
import { type ContentSource, isPiece, pieceError } from "./content.ts";
import { lengthMismatch, trailerFields } from "./response-rules.ts";
import { lengthOf } from "./server-answer.ts";
import type { Transport } from "./transport.ts";

/** The members of a response that its stream uses. */
export interface StreamedResponse {
  /** The status sent; 0 before that. */
  status: number;
  /** Bytes of content sent so far. */
  bytes: number;
  /** True if nothing more will be sent. */
  readonly complete: boolean;
  readonly failure: Error | undefined;
  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    declared: number | undefined,
  ): void;
  finish(): void;
  fail(error: unknown): void;
}

export class ResponseStream {
  readonly #response: StreamedResponse;
  readonly #transport: Transport;
  readonly #status: number;
  readonly #declared: number | undefined;
  /** The fields of the head while it is held back. */
  #fields: string[] | undefined;
  /** Stops the content's source, in the async scope in which the app passed it. */
  #stopSource: (() => void) | undefined;

  /**
   * @param fields the fields of the head; undefined if the response is complete already
   * @param declared the Content-Length that the app declares
   */
  constructor(
    response: StreamedResponse,
    transport: Transport,
    status: number,
    fields?: string[],
    declared?: number,
  ) {
    this.#response = response;
    this.#transport = transport;
    this.#status = status;
    this.#fields = fields;
    this.#declared = declared;
  }

  /** Sends the head, unless it has been sent or the response has failed. */
  sendHead(): void {
    const fields = this.#fields;
    if (fields === undefined) return;
    this.#fields = undefined;
    this.#response.status = this.#status;
    this.#transport.sendHead(this.#status, fields, this.#declared);
  }

  /** Sends the head and what has been written, now. */
  flush(): void {
    this.sendHead();
    this.#transport.flush?.();
  }

  /** Sends a piece of content; false if the caller should await `whenWritable`. */
  send(chunk: string | Uint8Array): boolean {
    if (!this.#takesContent("write")) return true;
    if (!isPiece(chunk)) this.#failAndThrow(pieceError(chunk));
    this.sendHead();
    return this.#transport.headOnly || this.#sendPiece(chunk);
  }

  /** Sends a piece behind the head of a response that is not complete and has content. */
  #sendPiece(chunk: string | Uint8Array): boolean {
    const bytes = this.#response.bytes + lengthOf(chunk);
    if (this.#declared !== undefined && bytes > this.#declared)
      this.#failAndThrow(lengthMismatch(this.#declared, "the content has more bytes"));
    this.#response.bytes = bytes;
    return chunk.length === 0 || this.#transport.write(chunk);
  }

  whenWritable(): Promise<void> {
    return this.#transport.whenWritable();
  }

  /** Ends the content. If the head has not been sent, the response is sent whole. */
  end(last?: string | Uint8Array | null, trailers?: HeadersInput): void {
    if (!this.#takesContent("end")) return;
    const sentTrailers = this.#checkTrailers(trailers);
    if (last !== undefined && last !== null && !isPiece(last)) this.#failAndThrow(pieceError(last));
    const fields = this.#fields;
    if (fields !== undefined && sentTrailers.length === 0) {
      this.#fields = undefined;
      try {
        this.#response.sendWhole(this.#status, fields, last ?? "", this.#declared);
      } catch (error) {
        this.#failAndThrow(error);
      }
      return;
    }
    if (last !== undefined && last !== null) this.send(last);
    this.sendHead();
    if (this.#declared !== undefined && this.#response.bytes < this.#declared && !this.#transport.headOnly) {
      this.#failAndThrow(lengthMismatch(this.#declared, `the content has ${this.#response.bytes} bytes`));
    }
    this.#transport.end(sentTrailers);
    this.#response.finish();
  }

  /**
   * Sends everything that `source` yields, or stops once the response is complete. The head waits for the first piece,
   * but at most one turn of the event loop, so that a source that fails at once becomes a 500 and a slow one does not
   * delay the head.
   *
   * @throws GatewayError for an invalid piece; any error of the source
   */
  async sendAll(source: ContentSource): Promise<void> {
    if (this.#transport.headOnly || forbidsContent(this.#status)) {
      source.stop();
      // A status without content has no framing either, while HEAD has the framing of GET.
      if (!forbidsContent(this.#status)) this.sendHead();
      this.end();
      return;
    }
    // `AsyncResource.bind` would cost ten times as much.
    const scope = new AsyncResource("TSGUN_CONTENT");
    this.#stopSource = () => scope.runInAsyncScope(source.stop);
    const turn = setImmediate(() => {
      try {
        this.sendHead();
      } catch (error) {
        this.#response.fail(error);
      }
    });
    let next: IteratorResult<unknown>;
    try {
      next = await source.next();
    } finally {
      clearImmediate(turn);
    }
    this.sendHead();
    while (next.done !== true && !this.#response.complete) {
      const chunk = next.value;
      if (!isPiece(chunk)) throw pieceError(chunk);
      if (!this.#sendPiece(chunk)) await this.whenWritable();
      next = await source.next();
    }
    this.#stopSource = undefined;
    if (!this.#response.complete) this.end();
  }

  /** Call when the response has failed. It closes the source, because an unread stream must not stay open. */
  stop(): void {
    this.#fields = undefined;
    const stop = this.#stopSource;
    this.#stopSource = undefined;
    stop?.();
  }

  /** False if the status forbids content. @throws the response's failure; GatewayError after the end of the response */
  #takesContent(operation: "write" | "end"): boolean {
    const { failure, complete, status } = this.#response;
    if (failure !== undefined) throw failure;
    if (!complete) return true;
    if (forbidsContent(status)) return false;
    throw new GatewayError(clause.writer, `${operation} after the end of the response`);
  }

  /** Invalid trailers leave the writer open for another `end`. If that does not follow at once, the response fails. */
  #checkTrailers(trailers: HeadersInput | undefined): string[] {
    try {
      return trailerFields(trailers);
    } catch (error) {
      setImmediate(() => {
        if (!this.#response.complete) this.#response.fail(error);
      });
      throw error;
    }
  }

  /** Fails the response before throwing: a caller that ignores the writer's promises must not leave it half sent. */
  #failAndThrow(error: unknown): never {
    this.#response.fail(error);
    throw error;
  }
}

/** The members of a response that its writer uses. */
export interface WrittenResponse {
  readonly complete: boolean;
  finished(): Promise<Finished>;
  fail(error: unknown): void;
}

const READY = Promise.resolve();

/** Marks a rejection as handled: a caller may ignore the promise, because the response reports its own failure. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** The writer that `respond` returns when called without content. */
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
    return this.#response.finished() as Promise<unknown> as Promise<void>;
  }

  flush(): Promise<void> {
    this.#stream.flush();
    return READY;
  }

  destroy(error: Error = new Error("the app destroyed the response")): void {
    // After the end there is nothing to give up.
    if (!this.#response.complete) this.#response.fail(error);
  }
}
