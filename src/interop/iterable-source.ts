/** Feeds a request body from any iterable, with backpressure. */
import { BodyError } from "../errors.ts";
import { type BodySource, MessageBody } from "../exchange/message-body.ts";
import { allowedTrailers } from "./framing.ts";

type Pieces = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/** Content to send, whole or in pieces. An iterable that throws simulates a client that disconnects. */
export type RequestContent = string | Uint8Array | Pieces;

export interface SourceOptions {
  /** The declared length in bytes; content of another length fails the body. */
  readonly length: number | undefined;
  readonly limit: number;
  readonly rawTrailers?: readonly string[];
  /** Called on the first read. */
  readonly onStart?: () => void;
  readonly onBroken?: (error: Error) => void;
}

export class IterableSource implements BodySource {
  readonly body: MessageBody;
  readonly #pieces: Pieces;
  readonly #options: SourceOptions;
  #paused = false;
  #resumeSending: (() => void) | undefined;

  constructor(content: RequestContent, options: SourceOptions) {
    this.#pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    this.#options = options;
    this.body = new MessageBody(options.length, this, options.limit);
  }

  start(): void {
    this.#options.onStart?.();
    this.#send().catch((cause: unknown) => {
      const error =
        cause instanceof BodyError ? cause : new BodyError(400, "the request body ended early", { cause });
      this.body.fail(error);
      this.#options.onBroken?.(error);
    });
  }

  async #send(): Promise<void> {
    const { length, rawTrailers = [] } = this.#options;
    let sent = 0;
    for await (const piece of this.#pieces) {
      // Copy, because the iterable's owner may reuse its memory.
      const bytes = typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece);
      sent += bytes.length;
      if (length !== undefined && sent > length) break;
      if (bytes.length > 0) this.body.push(bytes);
      if (this.#paused) await this.#resumed();
      if (this.body.abandoned) return;
    }
    if (length !== undefined && sent !== length) {
      throw new BodyError(400, `Content-Length is ${length}, but the content has ${sent} bytes`);
    }
    this.body.end(allowedTrailers(rawTrailers));
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#resumeSending = resolve;
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resumeSending?.();
    this.#resumeSending = undefined;
  }
}
