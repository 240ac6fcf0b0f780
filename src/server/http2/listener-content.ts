/**
 * The content of a request that a node listener reads: counted where it arrives, since only the listener knows when it
 * reads. The stream's window is opened as content is taken from it, so a client that is ahead of the app waits.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import { BodyError, HttpError } from "../../errors.ts";
import { ContentPace, type Lateness, ON_TIME } from "../content-pace.ts";
import type { EngineOptions } from "../server-options.ts";
import type { CompatRequest } from "./compat-request.ts";
import { readTrailers } from "./request-head.ts";

/** The exchange, to its content. */
export interface ContentHost {
  /** The server's time. */
  readonly now: number;
  /** More content, or the end of it, has arrived. */
  contentArrived(): void;
  /** The content is not what the app may have. */
  failContent(fault: BodyError): void;
}

interface ContentNeeds {
  readonly limits: EngineOptions["limits"];
  readonly timeouts: EngineOptions["timeouts"];
  /** Bytes that a client may send before the app reads. */
  readonly window: number;
}

type Push = ServerHttp2Stream["push"];

const CONTENT = Symbol("tsgun.content");

type CountedStream = ServerHttp2Stream & { [CONTENT]?: ListenerContent };

export class ListenerContent {
  /** Bytes that have arrived. */
  size: number;
  /** The client waits for 100 Continue: its time does not run. */
  awaitsContinue: boolean;
  /** Nobody wants the rest. */
  isDiscarded = false;
  readonly push: Push;
  readonly #host: ContentHost;
  readonly #stream: ServerHttp2Stream;
  readonly #request: CompatRequest;
  readonly #needs: ContentNeeds;
  readonly #pace: ContentPace;
  #received: boolean;
  /** All of it has arrived. */
  isComplete: boolean;

  constructor(host: ContentHost, request: CompatRequest, needs: ContentNeeds, awaitsContinue: boolean) {
    const { stream } = request;
    this.#host = host;
    this.#stream = stream;
    this.#request = request;
    this.#needs = needs;
    this.awaitsContinue = awaitsContinue;
    this.#pace = new ContentPace(needs.timeouts);
    this.#pace.resume(host.now);
    // Content that has come with the head.
    this.size = stream.readableLength;
    this.#received = stream.state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE;
    this.isComplete = this.#received;
    this.push = stream.push;
    (stream as CountedStream)[CONTENT] = this;
    stream.push = countedPush;
    stream.on("trailers", (_headers, _flags, fields?: string[]) => this.#checkTrailers(fields ?? []));
  }

  /** Whether the rest may be discarded once the response is complete: the app does not read. */
  get isUnread(): boolean {
    const { destroyed, readableFlowing } = this.#request;
    return destroyed || (readableFlowing !== true && this.#request.listenerCount("readable") === 0);
  }

  /** Whether all of it was passed to the app. */
  get isWhole(): boolean {
    const { readableEnded, aborted, rstCode } = this.#stream;
    return readableEnded && !this.isDiscarded && !aborted && rstCode === constants.NGHTTP2_NO_ERROR;
  }

  get received(): boolean {
    return this.#received;
  }

  arrived(chunk: Uint8Array | null): void {
    if (chunk === null) {
      this.#received = true;
      // A stream that was reset ends as well.
      this.isComplete = !this.#stream.closed;
    } else {
      this.size += chunk.length;
      // The client did not wait for 100 Continue (RFC 9110 section 10.1.1).
      this.awaitsContinue = false;
      this.#pace.received(chunk.length, this.#host.now);
    }
    this.#host.contentArrived();
  }

  /** The client has reset the stream, or broken the rules. */
  abort(): void {
    if (!this.#stream.readableEnded) this.#request.failContent();
  }

  /** Whether there is too much of it. */
  get exceedsLimit(): boolean {
    return this.size > this.#needs.limits.body;
  }

  tooLarge(): void {
    this.#host.failContent(new BodyError(413, `the content has more than ${this.#needs.limits.body} bytes`));
  }

  #checkTrailers(fields: readonly string[]): void {
    try {
      readTrailers(fields, this.#needs.limits);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#host.failContent(new BodyError(error.status, error.message));
    }
  }

  get #waitsForClient(): boolean {
    if (this.#received || this.awaitsContinue || this.isDiscarded) return false;
    const unread = this.#stream.readableLength + this.#request.readableLength;
    return unread < Math.min(this.#needs.window, this.#stream.readableHighWaterMark);
  }

  /** Whether the client is too slow. Call on every tick. @param passed time that has passed for certain */
  isLate(now: number, passed: number): boolean {
    if (this.#waitsForClient) return this.#pace.resume(now) <= passed;
    this.#pace.pause(now);
    return false;
  }

  /** How late the client is. */
  lateness(now: number): Lateness {
    return this.#waitsForClient ? this.#pace.lateness(now) : ON_TIME;
  }
}

/** The same function for all streams, as in `node/reading-scope.ts`. */
function countedPush(this: CountedStream, chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
  const content = this[CONTENT] as ListenerContent;
  content.arrived(chunk);
  if (chunk === null || !content.exceedsLimit) return content.push.call(this, chunk, encoding);
  content.tooLarge();
  // It never reaches the app.
  return true;
}
