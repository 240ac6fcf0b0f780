/**
 * One response to one request over any transport: the state behind `respond`. It enforces the rules of a
 * response (sent once, whole or in pieces; no content where HTTP forbids it; never truncated yet seemingly
 * complete). The carrier below frames and sends it.
 */
import { AsyncResource } from "node:async_hooks";
import type { Duplex } from "node:stream";
import {
  type BodyError,
  ClientGone,
  errorStatus,
  GatewayError,
  tellsClientGone,
  thrownError,
} from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { rawFields } from "../gateway/fields.ts";
import { forbidsContent, isFinalStatus, isInformationalStatus, REASONS } from "../gateway/statuses.ts";
import type { FileBody, HeadersInput, Respond, ResponseBody, ResponseWriter } from "../gateway/types.ts";
import { type ContentSource, contentSource, isFileBody, isPiece, noPiece, openFile } from "./content.ts";
import { faultOf } from "./content-fault.ts";
import { pump } from "./pump.ts";
import {
  contentLengthFor,
  extractContentLength,
  informationalFields,
  trailerPairs,
  upgradeFields,
} from "./response-rules.ts";
import type { Transport } from "./transport.ts";
import { ExchangeWriter } from "./writer.ts";

/** The content of a 500 response. */
export interface ErrorContent {
  /** The media type. */
  readonly type: string;
  readonly content: string;
}

/** Reports to the server an error that the app caused or met. */
export type ResponseErrorListener = (error: Error, headSent: boolean) => void;

/**
 * `lost`: the server ended the exchange before the app responded (the client disconnected, or the request
 * timed out). A later response of the app is discarded and is not an error.
 */
type Phase = "open" | "begun" | "streaming" | "complete" | "upgraded" | "failed" | "lost";

const RESPONSE = Symbol("response");

type BoundRespond = { [RESPONSE]: ExchangeResponse; sent: boolean };

function informational(this: BoundRespond, status: number, headers?: HeadersInput): void {
  this[RESPONSE].informational(status, headers);
}

function upgrade(this: BoundRespond, headers?: HeadersInput | null): Duplex {
  return this[RESPONSE].upgrade(headers);
}

function finished(this: BoundRespond): Promise<void> {
  return this[RESPONSE].finished();
}

/** The status sent through `respond`, by the app or by the server in its place; undefined before that. */
export function sentStatus(respond: Respond): number | undefined {
  return (respond as Partial<BoundRespond>)[RESPONSE]?.status || undefined;
}

export class ExchangeResponse {
  readonly respond: Respond;
  /** The status sent; 0 before that. */
  status = 0;
  /** The fault in the request's content, once there is one. Later errors of the app are attributed to it. */
  fault: BodyError | undefined;
  #phase: Phase = "open";
  readonly #transport: Transport;
  readonly #onError: ResponseErrorListener;
  #declared: number | undefined;
  #written = 0;
  /** Stops the content's source, in the async scope in which the app passed it. */
  #stop: (() => void) | undefined;
  #settled: { resolve(): void; reject(error: Error): void; promise: Promise<void> } | undefined;
  #failure: Error | undefined;
  #pending: { status: number; fields: string[] } | undefined;

  constructor(transport: Transport, onError: ResponseErrorListener) {
    this.#transport = transport;
    this.#onError = onError;
    // Properties assigned to a closure cost a fifth of setting its prototype, on every request.
    const respond = ((status: number, headers?: HeadersInput | null, body?: ResponseBody) =>
      this.begin(status, headers, body)) as unknown as BoundRespond & Respond;
    respond[RESPONSE] = this;
    respond.sent = false;
    respond.informational = informational as unknown as Respond["informational"];
    respond.upgrade = upgrade as unknown as Respond["upgrade"];
    respond.finished = finished as unknown as Respond["finished"];
    this.respond = respond;
  }

  /** True once the app, or the server in its place, has begun a response. */
  get sent(): boolean {
    return this.#phase !== "open";
  }

  /** True once the head has been handed to the carrier. */
  get headSent(): boolean {
    return this.status !== 0;
  }

  /** True if nothing more will be sent. */
  get complete(): boolean {
    const phase = this.#phase;
    return phase === "complete" || phase === "failed" || phase === "lost" || phase === "upgraded";
  }

  /** True if the server ended the exchange before the app responded. */
  get lost(): boolean {
    return this.#phase === "lost";
  }

  /** Implements `respond`. Servers may put a fast path for the simplest responses before it. */
  begin(status: number, headers: HeadersInput | null | undefined, body: ResponseBody | undefined): unknown {
    if (this.#phase === "lost") return this.#ignore(body);
    this.claim();
    try {
      return this.#dispatch(status, headers, body);
    } catch (error) {
      this.#reopen();
      throw error;
    }
  }

  /** Discards a response that comes too late. A second one is an error, as usual. */
  #ignore(body: ResponseBody | undefined): ResponseWriter | undefined {
    this.#phase = "failed";
    (this.respond as unknown as BoundRespond).sent = true;
    if (body === undefined) return new ExchangeWriter(this);
    if (typeof body === "object" && body !== null && !(body instanceof Uint8Array) && !isFileBody(body)) {
      try {
        contentSource(body).stop();
      } catch {
        // Invalid content is not reported: the response is discarded anyway.
      }
    }
    return undefined;
  }

  /** Marks the request as begun; throws `GatewayError` the second time. */
  claim(): void {
    if (this.#phase !== "open")
      throw new GatewayError(clause.once, "respond was called twice for one request");
    this.#phase = "begun";
    (this.respond as unknown as BoundRespond).sent = true;
  }

  /** Undoes `claim` after an invalid status or header, so that the app can still respond, or the server with a 500. */
  #reopen(): void {
    if (this.headSent) return;
    this.#phase = "open";
    (this.respond as unknown as BoundRespond).sent = false;
  }

  #dispatch(
    status: number,
    headers: HeadersInput | null | undefined,
    body: ResponseBody | undefined,
  ): ResponseWriter | undefined {
    if (!isFinalStatus(status)) {
      throw new GatewayError(clause.status, `${String(status)} is no status of a final answer (200 to 599)`);
    }
    const fields = rawFields(headers);
    this.#declared = extractContentLength(fields);
    if (body === undefined) {
      if (forbidsContent(status)) this.#whole(status, fields, "");
      else this.#pending = { status, fields };
      return new ExchangeWriter(this);
    }
    if (body === null) this.#whole(status, fields, "");
    else if (typeof body === "string" || body instanceof Uint8Array) this.#whole(status, fields, body);
    else if (typeof body !== "object") throw new GatewayError(clause.content, `${typeof body} is no content`);
    else if (isFileBody(body)) this.#sendFile(status, fields, body);
    else this.#sendIterable(status, fields, body);
    return undefined;
  }

  #whole(status: number, fields: string[], content: string | Uint8Array): void {
    const length = typeof content === "string" ? Buffer.byteLength(content) : content.length;
    const declared = this.#declared;
    const bare = this.#transport.headOnly || forbidsContent(status);
    if (declared !== undefined && declared !== length && !(bare && length === 0)) {
      throw new GatewayError(
        clause.contentLength,
        `content-length says ${declared}, the content has ${length} bytes`,
      );
    }
    this.status = status;
    this.#transport.whole(status, fields, bare ? "" : content, contentLengthFor(status, length, declared));
    this.finish();
  }

  #sendFile(status: number, fields: string[], body: FileBody): void {
    this.#run(async () => {
      const file = await openFile(body);
      try {
        // The handler may have thrown, the request timed out or the client disconnected in the meantime.
        if (this.complete) return;
        this.#declared ??= file.length;
        if (this.#declared !== file.length) {
          throw new GatewayError(
            clause.contentLength,
            `content-length says ${this.#declared}, the file part has ${file.length} bytes`,
          );
        }
        await this.#stream(status, fields, file.source);
      } finally {
        await file.close();
      }
    });
  }

  #sendIterable(status: number, fields: string[], body: object): void {
    const source = contentSource(body);
    this.#run(() => this.#stream(status, fields, source));
  }

  #run(task: () => Promise<void>): void {
    task().then(undefined, (error: unknown) => this.fail(error));
  }

  async #stream(status: number, fields: string[], source: ContentSource): Promise<void> {
    this.#pending = { status, fields };
    if (!this.#transport.headOnly && !forbidsContent(status)) {
      this.#stop = AsyncResource.bind(source.stop);
      await pump(source, this);
      this.#stop = undefined;
      if (!this.complete) this.endContent();
      return;
    }
    source.stop();
    if (forbidsContent(status)) {
      // A status without content has no framing either, while HEAD has the framing of GET.
      this.#pending = undefined;
      this.#whole(status, fields, "");
    } else {
      this.sendHead();
      this.endContent();
    }
  }

  /** Sends the head that a writer or stream has held back. */
  sendHead(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.status = pending.status;
    this.#phase = "streaming";
    this.#transport.begin(pending.status, pending.fields, this.#declared);
  }

  /** Sends a piece of content; false if the caller should await `whenWritable`. */
  send(chunk: string | Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.complete) {
      if (forbidsContent(this.status)) return true;
      throw new GatewayError(clause.writer, "write after the end of the response");
    }
    if (!isPiece(chunk)) this.#failAndThrow(noPiece(chunk));
    this.sendHead();
    if (this.#transport.headOnly) return true;
    const size = typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.length;
    this.#written += size;
    if (this.#declared !== undefined && this.#written > this.#declared) {
      this.#failAndThrow(
        new GatewayError(
          clause.contentLength,
          `content-length says ${this.#declared}, the content has more bytes`,
        ),
      );
    }
    return size === 0 || this.#transport.write(chunk);
  }

  /** Fails the response before throwing: a caller that ignores the writer's promises must not leave it half sent. */
  #failAndThrow(error: unknown): never {
    this.fail(error);
    throw error;
  }

  /** Resolves when the carrier has room for more. */
  whenWritable(): Promise<void> {
    return this.#transport.whenWritable();
  }

  /** Ends the content. If the head has not been sent, the response is sent whole. */
  endContent(last?: string | Uint8Array | null, trailers?: HeadersInput): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.complete) {
      if (forbidsContent(this.status)) return;
      throw new GatewayError(clause.writer, "end after the end of the response");
    }
    const pairs = this.#trailers(trailers);
    if (last !== undefined && last !== null && !isPiece(last)) this.#failAndThrow(noPiece(last));
    const pending = this.#pending;
    if (pending !== undefined && pairs.length === 0) {
      this.#pending = undefined;
      try {
        this.#whole(pending.status, pending.fields, last ?? "");
      } catch (error) {
        this.#failAndThrow(error);
      }
      return;
    }
    if (last !== undefined && last !== null) this.send(last);
    this.sendHead();
    const bare = this.#transport.headOnly || forbidsContent(this.status);
    if (this.#declared !== undefined && this.#written < this.#declared && !bare) {
      this.#failAndThrow(
        new GatewayError(
          clause.contentLength,
          `content-length says ${this.#declared}, the content has ${this.#written} bytes`,
        ),
      );
    }
    this.#transport.end(pairs);
    this.finish();
  }

  /** Invalid trailers leave the writer open for another `end`. If that does not follow at once, the response fails. */
  #trailers(trailers: HeadersInput | undefined): string[] {
    try {
      return trailerPairs(trailers);
    } catch (error) {
      setImmediate(() => {
        if (!this.complete) this.fail(error);
      });
      throw error;
    }
  }

  informational(status: number, headers?: HeadersInput): void {
    if (!isInformationalStatus(status)) {
      throw new GatewayError(
        clause.informational,
        `${String(status)} is not a status that an app can send ahead of its answer (102 to 199)`,
      );
    }
    if (this.#phase === "lost") return;
    if (this.headSent || this.complete) {
      throw new GatewayError(clause.informational, "an informational answer comes before the final one");
    }
    this.#transport.informational(status, informationalFields(headers));
  }

  upgrade(headers?: HeadersInput | null): Duplex {
    if (!this.#transport.upgradable) {
      throw new GatewayError(clause.upgrade, "the request does not ask to change protocols");
    }
    if (this.#phase === "lost") throw this.#failure ?? new ClientGone();
    const fields = headers === undefined || headers === null ? undefined : upgradeFields(headers);
    this.claim();
    this.status = 101;
    this.#phase = "upgraded";
    this.#settle(undefined);
    return this.#transport.upgrade(fields);
  }

  finished(): Promise<void> {
    if (this.#settled === undefined) {
      let resolve: () => void = () => {};
      let reject: (error: Error) => void = () => {};
      const promise = new Promise<void>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      // The failure has been reported already, so a caller need not handle the rejection.
      promise.catch(() => {});
      this.#settled = { resolve, reject, promise };
      if (this.complete) this.#settle(this.#failure);
    }
    return this.#settled.promise;
  }

  /** Marks the response as complete. For servers that send one without `begin`. */
  finish(): void {
    this.#phase = "complete";
    if (this.#settled !== undefined) this.#settle(undefined);
    this.completed();
  }

  /** Called once, when the complete response has been handed to the carrier. For servers to override. */
  protected completed(): void {}

  #settle(error: Error | undefined): void {
    if (error === undefined) this.#settled?.resolve();
    else this.#settled?.reject(error);
  }

  /**
   * Handles a failure of the app: an exception, a failed stream or `destroy`. Before the head it sends an error
   * response (the error's own status or 500); after the head it destroys the connection.
   */
  fail(cause: unknown): void {
    const thrown = thrownError(cause);
    const error = this.fault === undefined ? thrown : faultOf(thrown, this.fault);
    if (this.complete) {
      if (this.#phase === "complete" || this.#phase === "upgraded") this.#onError(error, true);
      return;
    }
    this.#break(error, true);
  }

  /**
   * Ends the exchange on the server's behalf: the request timed out, or its body failed. Works like `fail`, except
   * that a later response of the app is discarded without an error.
   */
  abort(error: Error): void {
    if (!this.complete) this.#break(error, false);
  }

  #break(error: Error, byApp: boolean): void {
    const headSent = this.headSent;
    const begun = byApp || this.#phase !== "open";
    this.#failure = error;
    this.#stopSource();
    this.#pending = undefined;
    if (!tellsClientGone(error)) this.#onError(error, headSent);
    if (headSent) {
      this.#phase = "failed";
      this.#transport.destroy(error);
    } else {
      if (this.#phase === "open") this.claim();
      this.#phase = begun ? "failed" : "lost";
      const status = errorStatus(error);
      if (status === undefined) this.#sendError(500, this.errorContent(error));
      else this.#sendError(status);
    }
    this.#settle(error);
  }

  /** The content of an error response. Default: the status only. For servers to override. */
  protected errorContent(_error: Error): ErrorContent | undefined {
    return undefined;
  }

  /** Sends the server's own short response for `status`. */
  #sendError(status: number, said?: ErrorContent): void {
    this.status = status;
    const { type = "text/plain; charset=utf-8", content = `${status} ${REASONS[status] ?? "Error"}\n` } =
      said ?? {};
    const length = Buffer.byteLength(content);
    this.#transport.whole(status, ["Content-Type", type], this.#transport.headOnly ? "" : content, length);
    this.completed();
  }

  /** Call when the client has disconnected: pending and later writes fail with `error`. For servers. */
  abandon(error: Error): void {
    if (this.complete) return;
    this.#failure = error;
    this.#phase = this.#phase === "open" ? "lost" : "failed";
    this.#pending = undefined;
    this.#stopSource();
    this.#settle(error);
  }

  /** Closes the content's source: an unread stream must not stay open. */
  #stopSource(): void {
    const stop = this.#stop;
    this.#stop = undefined;
    stop?.();
  }
}
