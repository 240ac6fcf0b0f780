/**
 * The client of an exchange that never leaves memory: it sends the content of a request at the pace at
 * which the app reads it, and collects the answer.
 */
import type { Duplex } from "node:stream";
import { BodyError } from "../errors.ts";
import { type Carrier, forbidsContent } from "../exchange/answer.ts";
import { type BodySource, MessageBody } from "../exchange/message-body.ts";
import { duplexPair } from "./duplex-pair.ts";
import { allowedTrailers, fieldValue, sendableFields } from "./framing.ts";

/** Content to send: whole, or in pieces as the app reads them. A source that throws is a client that breaks off. */
export type RequestContent =
  | string
  | Uint8Array
  | AsyncIterable<string | Uint8Array>
  | Iterable<string | Uint8Array>;

/** A copy, since whoever gave the piece may use its memory again. */
function bytesOf(piece: string | Uint8Array): Buffer {
  return typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece);
}

/** Sends the content of a request. */
export class ContentSender implements BodySource {
  readonly body: MessageBody;
  readonly #pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;
  readonly #trailers: readonly string[];
  readonly #onStart: () => void;
  readonly #onBroken: (error: Error) => void;
  #room: (() => void) | undefined;
  #paused = false;

  constructor(
    content: RequestContent,
    length: number | undefined,
    limit: number,
    trailers: readonly string[],
    events: { onStart(): void; onBroken(error: Error): void },
  ) {
    this.#pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    this.#trailers = allowedTrailers(trailers);
    this.#onStart = events.onStart;
    this.#onBroken = events.onBroken;
    this.body = new MessageBody(length, this, limit);
  }

  start(): void {
    this.#onStart();
    this.#send().catch((cause: unknown) => {
      const error =
        cause instanceof BodyError ? cause : new BodyError(400, "the client broke off", { cause: cause });
      this.body.fail(error);
      this.#onBroken(error);
    });
  }

  async #send(): Promise<void> {
    const declared = this.body.length;
    let sent = 0;
    for await (const piece of this.#pieces) {
      const bytes = bytesOf(piece);
      sent += bytes.length;
      if (declared !== undefined && sent > declared) break;
      if (bytes.length > 0) this.body.push(bytes);
      if (this.#paused) {
        await new Promise<void>((resolve) => {
          this.#room = resolve;
        });
      }
      if (this.body.abandoned) return;
    }
    if (declared !== undefined && sent !== declared) {
      throw new BodyError(400, `content-length says ${declared}, the content has ${sent} bytes`);
    }
    this.body.end(this.#trailers);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#room?.();
    this.#room = undefined;
  }
}

export interface CollectorEvents {
  /** The answer is complete, or the connection has been taken over. */
  onEnd(): void;
  /** The server broke the connection off. */
  onBroken(error: Error): void;
}

/** Collects an answer as a client would see it, framing fields included. */
export class AnswerCollector implements Carrier {
  readonly headOnly: boolean;
  readonly upgradable: boolean;
  status = 0;
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  upgraded: Duplex | undefined;
  readonly informationals: { status: number; rawHeaders: string[] }[] = [];
  readonly #chunks: Buffer[] = [];
  readonly #oldVersion: boolean;
  readonly #events: CollectorEvents;
  #chunked = false;

  constructor(
    request: { method: string; httpVersion: "1.0" | "1.1"; upgrade: boolean },
    events: CollectorEvents,
  ) {
    this.headOnly = request.method === "HEAD";
    this.upgradable = request.upgrade;
    this.#oldVersion = request.httpVersion === "1.0";
    this.#events = events;
  }

  get content(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  informational(status: number, fields: string[]): void {
    if (!this.#oldVersion) this.informationals.push({ status, rawHeaders: fields });
  }

  upgrade(fields: string[] | undefined): Duplex {
    const [client, server] = duplexPair();
    // Without fields it is the app that writes the handshake: the client finds it in the stream.
    this.status = fields === undefined ? 0 : 101;
    this.rawHeaders = fields ?? [];
    this.upgraded = client;
    this.#events.onEnd();
    return server;
  }

  whole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void {
    this.#head(status, fields, length);
    if (content.length > 0) this.write(content);
    this.#events.onEnd();
  }

  begin(status: number, fields: string[], length: number | undefined): void {
    const framed = length !== undefined || this.headOnly || this.#oldVersion;
    this.#chunked = !framed && !forbidsContent(status);
    this.#head(status, fields, length);
  }

  #head(status: number, fields: string[], length: number | undefined): void {
    this.status = status;
    this.rawHeaders = sendableFields(fields);
    if (fieldValue(fields, "date") === undefined) this.rawHeaders.push("Date", new Date().toUTCString());
    if (this.#chunked) this.rawHeaders.push("Transfer-Encoding", "chunked");
    else if (length !== undefined) this.rawHeaders.push("Content-Length", String(length));
  }

  write(chunk: string | Uint8Array): boolean {
    this.#chunks.push(bytesOf(chunk));
    return true;
  }

  async room(): Promise<void> {}

  end(trailers: string[]): void {
    if (this.#chunked) this.rawTrailers = trailers;
    this.#events.onEnd();
  }

  destroy(error: Error): void {
    this.#events.onBroken(error);
  }
}
