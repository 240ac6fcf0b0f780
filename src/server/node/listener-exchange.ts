/**
 * One request that a node listener answers: how long it may take, and how it ends where the listener does not end it.
 * The response object stays the listener's, which may be about to use it; what the server says goes past it.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { BodyError, HttpError } from "../../errors.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import type { ErrorContent } from "../../exchange/response.ts";
import { ContentPace } from "../content-pace.ts";
import type { ServerTimeouts } from "../server-options.ts";
import type { ListenerExchangeLog } from "./listener-exchange-log.ts";
import { writeRefusal } from "./parser-error.ts";

/** Its connection, which may have to be kept for a while. */
export interface RefusableConnection {
  refuse(now: number, tell: () => void): void;
}

/** How far a request has got, as of the last look; in the server's time. */
interface Progress {
  /** What the connection had received. */
  bytes: number;
  readonly pace: ContentPace;
  /** When its latest content came; until it is its turn to be answered, now. */
  arrivedAt: number;
}

export class ListenerExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What the listener returned, if that says when it is done. */
  running: Promise<unknown> | undefined;
  readonly startedAt = performance.now();
  /** Undefined where the access log is off. */
  readonly log: ListenerExchangeLog | undefined;
  /** Whoever watches requests is told of its end. */
  onOver: (() => void) | undefined;
  /** Of the process; 0 where the access log has named the request. */
  readonly #number: number;
  readonly #timeouts: ServerTimeouts;
  readonly #begunAt: number;
  readonly #bytesAtStart: number;
  /** Undefined until the first look: most requests are over before it, and do without. */
  #progress: Progress | undefined;
  #givenUp = false;
  #ended = false;

  /**
   * @param now the server's time
   */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    log: ListenerExchangeLog | undefined,
    timeouts: ServerTimeouts,
    now: number,
  ) {
    this.request = request;
    this.response = response;
    this.#number = log === undefined ? nextRequestNumber() : 0;
    this.log = log;
    this.#timeouts = timeouts;
    this.#begunAt = now;
    this.#bytesAtStart = request.socket.bytesRead;
  }

  /** What the log calls it. Made when it is asked for: hardly any request is ever named. */
  get name(): { method: string; target: string; id: string } {
    const { request, log } = this;
    return {
      method: request.method ?? "",
      target: request.url ?? "",
      id: log?.id ?? requestId(this.#number),
    };
  }

  /** Takes note of its end; true the first time. An app may tell its listeners of one more. */
  end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    return true;
  }

  /** Makes this answer the last one of its connection, as far as its head is not out yet. */
  closeAfter(): void {
    if (!this.response.headersSent) this.response.shouldKeepAlive = false;
  }

  /** What it is to be given up for; undefined if nothing, or if it has been given up. To be called on each tick. */
  overdue(now: number): HttpError | undefined {
    if (this.#givenUp) return undefined;
    const progress = this.#look(now);
    const { pace } = progress;
    const { request, response } = this;
    const appIsSlow = request.readableLength >= request.readableHighWaterMark;
    if (request.complete || appIsSlow) pace.pause(now);
    else if (now >= pace.resume(now)) {
      return new BodyError(408, "the content of the request took too long to arrive");
    }
    if (response.socket === null && !response.writableEnded) progress.arrivedAt = now;
    else if (now - progress.arrivedAt >= this.#answerTime(this.#timeouts.request)) {
      return new HttpError(503, `no response within ${this.#timeouts.request / 1000} s`);
    }
    return undefined;
  }

  /** Behind the answer: whether what is left of the content takes too long, also because the app does not read it. */
  contentOverdue(now: number): boolean {
    return now >= this.#look(now).pace.resume(now);
  }

  #look(now: number): Progress {
    const { request } = this;
    if (this.#progress === undefined) {
      const pace = new ContentPace(this.#timeouts);
      pace.resume(this.#begunAt);
      this.#progress = { bytes: this.#bytesAtStart, pace, arrivedAt: this.#begunAt };
    }
    const progress = this.#progress;
    const { bytesRead } = request.socket;
    if (!request.complete && bytesRead !== progress.bytes) {
      progress.pace.received(bytesRead - progress.bytes, now);
      progress.arrivedAt = now;
    }
    progress.bytes = bytesRead;
    return progress;
  }

  /** How long the app may take for the head of its answer: longer, if it gave the connection more time itself. */
  #answerTime(usual: number): number {
    if (this.response.headersSent) return Number.POSITIVE_INFINITY;
    return Math.max(usual, this.request.socket.timeout ?? 0);
  }

  /** The server's own answer, for a request that the listener does not get to see. */
  refuse(status: number): void {
    this.log?.because("refused");
    this.#answer(status);
  }

  #answer(status: number, said?: ErrorContent): void {
    const { response } = this;
    response.shouldKeepAlive = false;
    const { type = "text/plain; charset=utf-8", content = `${STATUS_CODES[status]}\n` } = said ?? {};
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(content) });
    response.end(content);
  }

  /** The listener threw, or its promise was rejected; `said` is what the client is told of that, if anything. */
  fail(said?: ErrorContent): void {
    const { response } = this;
    if (response.writableEnded) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    this.#answer(500, said);
  }

  /** Ends it without its listener, with an answer of the server's if it is this one's turn on the connection. */
  breakOff(error: HttpError, connection: RefusableConnection, now: number): void {
    const { request, response } = this;
    const { status } = error;
    this.#givenUp = true;
    const waiting = response.socket === null;
    this.log?.because(status === 413 ? "refused" : "timeout", waiting ? 0 : status);
    const answers = !waiting && !response.headersSent;
    if (answers) writeRefusal(request.socket, status);
    // A request that has been read to its end does not take its connection with it.
    if (request.complete) request.socket.destroySoon();
    else if (answers) connection.refuse(now, () => request.destroy(error));
    else request.destroy(error);
  }
}
