/**
 * The content of one request of HTTP/2 as it arrives: passed on at its reader's speed and counted against the limit. The
 * stream's window is opened as content is taken from it, so a client that is ahead of the app waits.
 */
import type { ServerHttp2Stream } from "node:http2";
import { BodyError, HttpError } from "../../errors.ts";
import { type BodySource, MessageBody } from "../../exchange/message-body.ts";
import { ContentPace } from "../content-pace.ts";
import type { EngineOptions } from "../server-options.ts";
import { readTrailers } from "./request-head.ts";

/** The exchange, to its content. */
export interface BodyHost {
  /** The server's time. */
  readonly now: number;
  readonly responseComplete: boolean;
  /** Whether the stream has ended in another way than by its client's END_STREAM. */
  readonly isCutOff: boolean;
  /** Sends 100 Continue unless the response has begun. */
  sendContinue(): void;
  /** Fails the content with `error` for its reader. */
  failContent(error: BodyError): void;
  /** All content has arrived. */
  contentReceived(): void;
}

export class StreamBody implements BodySource {
  readonly body: MessageBody;
  /** When the client must have sent more content, in the server's time; Infinity while none is expected. */
  deadline = Number.POSITIVE_INFINITY;
  #isBeingRead = false;
  #received = false;
  #size = 0;
  readonly #host: BodyHost;
  readonly #stream: ServerHttp2Stream;
  readonly #limits: EngineOptions["limits"];
  /** How fast the content arrives. */
  readonly pace: ContentPace;
  #continueDue: boolean;
  #rawTrailers: string[] = [];

  /**
   * @param length declared bytes, undefined if unknown
   * @param continueDue the client expects 100 Continue; its time does not run until that is sent
   */
  constructor(
    host: BodyHost,
    stream: ServerHttp2Stream,
    length: number | undefined,
    { limits, timeouts }: Pick<EngineOptions, "limits" | "timeouts">,
    continueDue: boolean,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#limits = limits;
    this.#continueDue = continueDue;
    this.body = new MessageBody(length, this, limits.body);
    this.pace = new ContentPace(timeouts);
    if (!continueDue) this.#awaitContent();
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    stream.on("end", () => this.#end());
    stream.on("trailers", (_headers, _flags, raw?: string[]) => this.#receiveTrailers(raw ?? []));
  }

  /** True once all content has arrived, or no more will. */
  get received(): boolean {
    return this.#received;
  }

  /** Bytes that have arrived. */
  get size(): number {
    return this.#size;
  }

  get isBeingRead(): boolean {
    return this.#isBeingRead;
  }

  /** True while the app reads and has not stopped. */
  get isStillRead(): boolean {
    return this.#isBeingRead && !this.body.abandoned && !this.#received;
  }

  #awaitContent(): void {
    this.deadline = this.pace.resume(this.#host.now);
  }

  #stopWaiting(): void {
    this.pace.pause(this.#host.now);
    this.deadline = Number.POSITIVE_INFINITY;
  }

  #receive(chunk: Buffer): void {
    if (this.#received) return;
    this.#size += chunk.length;
    // The client did not wait for 100 Continue (RFC 9110 section 10.1.1).
    this.#continueDue = false;
    this.pace.received(chunk.length, this.#host.now);
    if (!this.#stream.isPaused()) this.#awaitContent();
    if (this.#size > this.#limits.body) {
      this.#host.failContent(new BodyError(413, "the request body is too large"));
      return;
    }
    if (this.body.abandoned) {
      this.#stopWaiting();
      return;
    }
    this.body.push(chunk);
  }

  #receiveTrailers(raw: string[]): void {
    if (this.#received) return;
    try {
      this.#rawTrailers = readTrailers(raw, this.#limits);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#host.failContent(new BodyError(error.status, error.message));
    }
  }

  #end(): void {
    if (this.#received || this.#host.isCutOff) return;
    this.#received = true;
    this.#stopWaiting();
    this.body.end(this.#rawTrailers);
    this.#host.contentReceived();
  }

  /** No more content will arrive. */
  fail(error: BodyError): void {
    this.#received = true;
    this.#stopWaiting();
    this.body.fail(error);
    // Later content is discarded, until the stream is closed.
    this.#stream.resume();
  }

  // ---- BodySource, called by the reader

  start(): void {
    this.#isBeingRead = true;
    if (this.#continueDue) {
      this.#continueDue = false;
      this.#host.sendContinue();
    }
    if (!this.#received && !this.#stream.isPaused()) this.#awaitContent();
  }

  refused(error: BodyError): void {
    this.#host.failContent(error);
  }

  pause(): void {
    // The client's time stops while the app reads slowly.
    if (!this.#host.responseComplete) this.#stopWaiting();
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#received) this.#awaitContent();
    this.#stream.resume();
  }
}
