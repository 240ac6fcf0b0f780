/**
 * One request that a node listener answers: its timeouts, and how it ends if the listener does not end it. The listener
 * may use its response object at any time, so the server's own responses bypass that once the listener has been called.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { BodyError, HttpError } from "../../errors.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import type { ErrorContent } from "../../exchange/response.ts";
import { STATUS_CODES } from "../../native/http.ts";
import { ContentPace, type Lateness } from "../content-pace.ts";
import type { GateVisit, ShedReason } from "../in-flight-gate.ts";
import type { ObservedRequest } from "../request-channels.ts";
import { RETRY_AFTER, type ServerTimeouts } from "../server-options.ts";
import type { ListenerExchangeWatch } from "./listener-exchange-watch.ts";
import { writeRefusal } from "./parser-error.ts";

/** Unread content up to this size is discarded to keep the connection, as in the engine. */
const MAX_DISCARDED_BYTES = 65_536;

/** The connection, which stays open for a while after a refusal. */
export interface RefusableConnection {
  refuse(now: number, onClose: () => void): void;
}

/** The progress of a request at the last check, in the server's time. */
interface Progress {
  /** Bytes that the connection had received. */
  bytes: number;
  readonly pace: ContentPace;
  /** When the app's time began: with the latest content, or once the responses before this one were complete. */
  appSince: number;
}

export class ListenerExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The listener's promise, if it returned one. */
  running: Promise<unknown> | undefined;
  /** As in `performance.now()`. */
  readonly startedAt: number;
  /** Undefined if requests are neither counted nor logged. */
  readonly watch: ListenerExchangeWatch | undefined;
  /** Undefined if nothing bounds the requests in flight. */
  visit: GateVisit | undefined;
  /** Undefined if nobody observes it. */
  observed: ObservedRequest | undefined;
  /** The next one on its connection. */
  next: ListenerExchange | undefined;
  /** Makes the id; 0 if the access log has made one. */
  readonly #number: number;
  readonly #timeouts: ServerTimeouts;
  /** When the app's time began at the earliest, in the server's time. */
  startTime: number;
  /** Bytes that the connection had received; undefined if no content follows. */
  #bytesAtStart: number | undefined;
  /** Undefined until the first check, which most requests never reach. */
  #progress: Progress | undefined;
  #brokenOff = false;

  /**
   * @param now the server's time
   */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    watch: ListenerExchangeWatch | undefined,
    timeouts: ServerTimeouts,
    startedAt: number,
    now: number,
  ) {
    this.request = request;
    this.response = response;
    this.startedAt = startedAt;
    this.#number = watch?.id === undefined ? nextRequestNumber() : 0;
    this.watch = watch;
    this.#timeouts = timeouts;
    this.startTime = now;
  }

  /** Content follows, or may. Not asked for every request: it is a call into the runtime. */
  expectContent(): void {
    this.#bytesAtStart = this.request.socket.bytesRead;
  }

  /** Bytes of its content that have arrived; of chunked content with its framing. */
  get bytesReceived(): number {
    const { request } = this;
    if (this.#bytesAtStart === undefined) return 0;
    const length = Number(request.headers["content-length"] ?? Number.NaN);
    if (request.complete && Number.isFinite(length)) return length;
    return Math.max(0, request.socket.bytesRead - this.#bytesAtStart);
  }

  /** The name of the request in a log line. Computed on demand, because few requests are logged. */
  get name(): { method: string; target: string; id: string } {
    const { request, watch } = this;
    return {
      method: request.method ?? "",
      target: request.url ?? "",
      id: watch?.id ?? requestId(this.#number),
    };
  }

  /** Makes this response the last one of its connection, unless its head has been sent. */
  closeAfter(): void {
    if (!this.response.headersSent) this.response.shouldKeepAlive = false;
  }

  /** Whether this response ends the connection: as its head says, once that is made; the app may have written its own. */
  get isLast(): boolean {
    const { response } = this;
    return response.headersSent
      ? (response as ServerResponse & { _last?: boolean })._last === true
      : !response.shouldKeepAlive;
  }

  /** Returns the reason to break off this exchange, or undefined. Call on every tick. */
  overdue(now: number): HttpError | undefined {
    if (this.#brokenOff) return undefined;
    const progress = this.#measure(now);
    const { pace } = progress;
    const { request, response } = this;
    const appIsSlow = request.readableLength >= request.readableHighWaterMark;
    if (request.complete || appIsSlow) pace.pause(now);
    else if (now >= pace.resume(now)) return lateContent();
    const isAppsTurn = response.socket !== null && this.visit?.isWaiting !== true;
    if (!isAppsTurn && !response.writableEnded) progress.appSince = now;
    else if (now - progress.appSince >= this.#responseTimeout()) {
      return new HttpError(503, `no response within ${this.#timeouts.request / 1000} s`);
    }
    return undefined;
  }

  /** Whether the rest of the content takes too long after the response, for whatever reason. */
  contentOverdue(now: number): boolean {
    return now >= this.#measure(now).pace.resume(now);
  }

  /** How late the client is with the content; undefined if the app has not read what there is, or it is complete. */
  lateness(now: number): Lateness | undefined {
    const { request } = this;
    const appIsSlow = request.readableLength >= request.readableHighWaterMark;
    if (request.complete || appIsSlow || this.#brokenOff) return undefined;
    return this.#measure(now).pace.lateness(now);
  }

  #measure(now: number): Progress {
    const { request } = this;
    if (this.#progress === undefined) {
      const pace = new ContentPace(this.#timeouts);
      pace.resume(this.startTime);
      const bytes = this.#bytesAtStart ?? request.socket.bytesRead;
      this.#progress = { bytes, pace, appSince: this.startTime };
    }
    const progress = this.#progress;
    const { bytesRead } = request.socket;
    if (!request.complete && bytesRead !== progress.bytes) {
      progress.pace.received(bytesRead - progress.bytes, now);
      progress.appSince = now;
    }
    progress.bytes = bytesRead;
    return progress;
  }

  /** Milliseconds in which the app must send a head. It may have set a longer timeout on the socket. */
  #responseTimeout(): number {
    if (this.response.headersSent) return Number.POSITIVE_INFINITY;
    return Math.max(this.#timeouts.request, this.request.socket.timeout ?? 0);
  }

  /** Responds to a request that the listener does not get. */
  refuse(status: number): void {
    this.watch?.reject(status);
    this.watch?.setReason("refused");
    this.#respond(status);
  }

  /** Responds to a request that the listener does not get, since there are too many. */
  shed(reason: ShedReason): void {
    const { request, response } = this;
    this.watch?.reject(503, reason);
    const { "content-length": length, "transfer-encoding": coding, expect } = request.headers;
    // Node discards unread content to keep the connection, however much it is.
    const isShort = coding === undefined && Number(length ?? 0) <= MAX_DISCARDED_BYTES;
    // A client that expects 100 Continue may send the content or leave it out: the next bytes would be ambiguous.
    if (!request.complete && (!isShort || expect !== undefined)) response.shouldKeepAlive = false;
    response.setHeader("retry-after", RETRY_AFTER);
    this.#send(503);
  }

  #respond(status: number, error?: ErrorContent): void {
    this.response.shouldKeepAlive = false;
    this.#send(status, error);
  }

  #send(status: number, error?: ErrorContent): void {
    const { response } = this;
    const { type = "text/plain; charset=utf-8", content = `${STATUS_CODES[status]}\n` } = error ?? {};
    // The reason is ours, too: that of the app may be why it failed, and would throw again.
    response.writeHead(status, STATUS_CODES[status], {
      "content-type": type,
      "content-length": Buffer.byteLength(content),
    });
    response.end(content);
  }

  /** Ends an exchange whose listener threw or rejected. @param content of the 500; by default only its status */
  fail(content?: ErrorContent): void {
    const { response } = this;
    if (response.writableEnded) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    this.#respond(500, content);
  }

  /** Ends the exchange without its listener: with the error's status, if it is its turn and no head has been sent. */
  breakOff(error: HttpError, connection: RefusableConnection, now: number): void {
    const { request, response } = this;
    const { status } = error;
    this.#brokenOff = true;
    const waiting = response.socket === null;
    this.watch?.setReason(status === 413 ? "refused" : "timeout", waiting ? 0 : status);
    const responds = !waiting && !response.headersSent;
    if (responds) writeRefusal(request.socket, status);
    // Destroying a complete request would not close its connection.
    if (request.complete) request.socket.destroySoon();
    else if (responds) connection.refuse(now, () => request.destroy(error));
    else request.destroy(error);
  }
}

/** The content of a request did not arrive in time. */
export function lateContent(): BodyError {
  return new BodyError(408, "the request body took too long to arrive");
}
