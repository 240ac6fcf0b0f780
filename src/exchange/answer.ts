/**
 * One answer to one request, over any transport: the state behind `respond`. It decides what an answer
 * is (once, whole or piece by piece, never content where HTTP allows none, never a truncated one that
 * looks complete); the carrier below it decides how it is framed and sent.
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
import { fieldPairs } from "../gateway/fields.ts";
import { REASONS } from "../gateway/reasons.ts";
import type { FileBody, HeadersInput, Respond, ResponseBody, ResponseWriter } from "../gateway/types.ts";
import {
  forbidsContent,
  informationalFields,
  isFinalStatus,
  isInformationalStatus,
  saidLength,
  takeContentLength,
  trailerPairs,
  upgradeFields,
} from "./answer-head.ts";
import type { Carrier } from "./carrier.ts";
import { type ContentSource, contentSource, isFileBody, isPiece, noPiece, openFile } from "./content.ts";
import { faultOf } from "./content-fault.ts";
import { pump } from "./pump.ts";
import { AnswerWriter } from "./writer.ts";

/** What an answer of 500 says. */
export interface ErrorContent {
  /** The media type. */
  readonly type: string;
  readonly content: string;
}

/** Tells the server of an error that the app made or met. */
export type AnswerErrorListener = (error: Error, headSent: boolean) => void;

/**
 * `lost`: the server ended the exchange before the app answered (the client went, time was over). What
 * the app says later is not an error of the app's, and goes nowhere.
 */
type Phase = "open" | "begun" | "streaming" | "complete" | "upgraded" | "failed" | "lost";

const ANSWER = Symbol("answer");

type BoundRespond = { [ANSWER]: Answer; sent: boolean };

function informational(this: BoundRespond, status: number, headers?: HeadersInput): void {
  this[ANSWER].informational(status, headers);
}

function upgrade(this: BoundRespond, headers?: HeadersInput | null): Duplex {
  return this[ANSWER].upgrade(headers);
}

function finished(this: BoundRespond): Promise<void> {
  return this[ANSWER].finished();
}

/** The status that was sent through `respond`, by the app or in its place; undefined before there is one. */
export function statusOf(respond: Respond): number | undefined {
  return (respond as Partial<BoundRespond>)[ANSWER]?.status || undefined;
}

export class Answer {
  readonly respond: Respond;
  /** The status sent, 0 before there is one. */
  status = 0;
  /** The request's content is broken, and its reader knows: what the app fails with from then on comes of that. */
  fault: BodyError | undefined;
  #phase: Phase = "open";
  readonly #carrier: Carrier;
  readonly #onError: AnswerErrorListener;
  #declared: number | undefined;
  #written = 0;
  /** Stops the source of the content, in the async scope in which the app gave it. */
  #stop: (() => void) | undefined;
  #settled: { resolve(): void; reject(error: Error): void; promise: Promise<void> } | undefined;
  #failure: Error | undefined;
  #pending: { status: number; fields: string[] } | undefined;

  constructor(carrier: Carrier, onError: AnswerErrorListener) {
    this.#carrier = carrier;
    this.#onError = onError;
    // Assigned properties on a closure: a fifth of the price of a prototype of its own, on every request.
    const respond = ((status: number, headers?: HeadersInput | null, body?: ResponseBody) =>
      this.begin(status, headers, body)) as unknown as BoundRespond & Respond;
    respond[ANSWER] = this;
    respond.sent = false;
    respond.informational = informational as unknown as Respond["informational"];
    respond.upgrade = upgrade as unknown as Respond["upgrade"];
    respond.finished = finished as unknown as Respond["finished"];
    this.respond = respond;
  }

  /** True once the app has answered, or the server has in its place. */
  get sent(): boolean {
    return this.#phase !== "open";
  }

  /** True once bytes of the answer's head have been handed to the carrier. */
  get headSent(): boolean {
    return this.status !== 0;
  }

  /** True when nothing more will be sent. */
  get complete(): boolean {
    const phase = this.#phase;
    return phase === "complete" || phase === "failed" || phase === "lost" || phase === "upgraded";
  }

  /** True when the server has ended the exchange before the app answered. */
  get lost(): boolean {
    return this.#phase === "lost";
  }

  /** What `respond` does. Servers may put a shorter way for the simplest answers before it. */
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

  /** Takes an answer that comes too late: once, like any other. */
  #ignore(body: ResponseBody | undefined): ResponseWriter | undefined {
    this.#phase = "failed";
    (this.respond as unknown as BoundRespond).sent = true;
    if (body === undefined) return new AnswerWriter(this);
    if (typeof body === "object" && body !== null && !(body instanceof Uint8Array) && !isFileBody(body)) {
      try {
        contentSource(body).stop();
      } catch {
        // It could not have been sent either.
      }
    }
    return undefined;
  }

  /** Marks the request as answered; throws `GatewayError` the second time. */
  claim(): void {
    if (this.#phase !== "open")
      throw new GatewayError(clause.once, "respond was called twice for one request");
    this.#phase = "begun";
    (this.respond as unknown as BoundRespond).sent = true;
  }

  /** A refused status or header must not use up the one answer: the app, or the 500, may still answer. */
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
    const fields = fieldPairs(headers);
    this.#declared = takeContentLength(fields);
    if (body === undefined) {
      if (forbidsContent(status)) this.#whole(status, fields, "");
      else this.#pending = { status, fields };
      return new AnswerWriter(this);
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
    const bare = this.#carrier.headOnly || forbidsContent(status);
    if (declared !== undefined && declared !== length && !(bare && length === 0)) {
      throw new GatewayError(
        clause.contentLength,
        `content-length says ${declared}, the content has ${length} bytes`,
      );
    }
    this.status = status;
    this.#carrier.whole(status, fields, bare ? "" : content, saidLength(status, length, declared));
    this.finish();
  }

  #sendFile(status: number, fields: string[], body: FileBody): void {
    this.#run(async () => {
      const file = await openFile(body);
      try {
        // Meanwhile the app may have thrown, the time have been over, or the client have gone.
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
    if (!this.#carrier.headOnly && !forbidsContent(status)) {
      this.#stop = AsyncResource.bind(source.stop);
      await pump(source, this);
      this.#stop = undefined;
      if (!this.complete) this.endContent();
      return;
    }
    source.stop();
    if (forbidsContent(status)) {
      // Such a status has no framing either; HEAD has that of GET.
      this.#pending = undefined;
      this.#whole(status, fields, "");
    } else {
      this.sendHead();
      this.endContent();
    }
  }

  /** Sends the head that a writer or a stream has been holding back. */
  sendHead(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.status = pending.status;
    this.#phase = "streaming";
    this.#carrier.begin(pending.status, pending.fields, this.#declared);
  }

  /** Sends a piece of content; false when `room` should be awaited. */
  send(chunk: string | Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.complete) {
      if (forbidsContent(this.status)) return true;
      throw new GatewayError(clause.writer, "write after the end of the response");
    }
    if (!isPiece(chunk)) this.#failAndThrow(noPiece(chunk));
    this.sendHead();
    if (this.#carrier.headOnly) return true;
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
    return size === 0 || this.#carrier.write(chunk);
  }

  /** For a writer's errors: whoever does not wait for its promises must not leave half an answer behind. */
  #failAndThrow(error: unknown): never {
    this.fail(error);
    throw error;
  }

  /** Resolves when the carrier has room for more. */
  room(): Promise<void> {
    return this.#carrier.room();
  }

  /** Ends the content. An answer that nobody has seen anything of goes out whole. */
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
    const bare = this.#carrier.headOnly || forbidsContent(this.status);
    if (this.#declared !== undefined && this.#written < this.#declared && !bare) {
      this.#failAndThrow(
        new GatewayError(
          clause.contentLength,
          `content-length says ${this.#declared}, the content has ${this.#written} bytes`,
        ),
      );
    }
    this.#carrier.end(pairs);
    this.finish();
  }

  /** Refused trailers leave the writer as it was, to be ended otherwise; whoever does not do so at once never will. */
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
    this.#carrier.informational(status, informationalFields(headers));
  }

  upgrade(headers?: HeadersInput | null): Duplex {
    if (!this.#carrier.upgradable) {
      throw new GatewayError(clause.upgrade, "the request does not ask to change protocols");
    }
    if (this.#phase === "lost") throw this.#failure ?? new ClientGone();
    const fields = headers === undefined || headers === null ? undefined : upgradeFields(headers);
    this.claim();
    this.status = 101;
    this.#phase = "upgraded";
    this.#settle(undefined);
    return this.#carrier.upgrade(fields);
  }

  finished(): Promise<void> {
    if (this.#settled === undefined) {
      let resolve: () => void = () => {};
      let reject: (error: Error) => void = () => {};
      const promise = new Promise<void>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      // Asking for the end is not the same as handling its failure, which was reported already.
      promise.catch(() => {});
      this.#settled = { resolve, reject, promise };
      if (this.complete) this.#settle(this.#failure);
    }
    return this.#settled.promise;
  }

  /** The answer is complete. For servers that send one without `begin`. */
  finish(): void {
    this.#phase = "complete";
    if (this.#settled !== undefined) this.#settle(undefined);
    this.completed();
  }

  /** Called once, when a whole answer has been handed to the carrier. For servers to override. */
  protected completed(): void {}

  #settle(error: Error | undefined): void {
    if (error === undefined) this.#settled?.resolve();
    else this.#settled?.reject(error);
  }

  /**
   * The app threw, its stream failed, or it gave up. Before the head this becomes an error answer
   * (the error's own status if it has one, else 500); behind it, the connection is broken off.
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
   * The server gives the exchange up in the app's place: time is over, or the request body broke. What
   * happens is as in `fail`, but the app may still answer, and is not heard.
   */
  giveUp(error: Error): void {
    if (!this.complete) this.#break(error, false);
  }

  #break(error: Error, byApp: boolean): void {
    const headSent = this.headSent;
    const answered = byApp || this.#phase !== "open";
    this.#failure = error;
    this.#stopSource();
    this.#pending = undefined;
    if (!tellsClientGone(error)) this.#onError(error, headSent);
    if (headSent) {
      this.#phase = "failed";
      this.#carrier.destroy(error);
    } else {
      if (this.#phase === "open") this.claim();
      this.#phase = answered ? "failed" : "lost";
      const status = errorStatus(error);
      if (status === undefined) this.#sendError(500, this.errorContent(error));
      else this.#sendError(status);
    }
    this.#settle(error);
  }

  /** What the answer says of an error of the app, beyond its status: nothing, unless a server overrides it. */
  protected errorContent(_error: Error): ErrorContent | undefined {
    return undefined;
  }

  /** Sends the server's own short answer for `status`. */
  #sendError(status: number, said?: ErrorContent): void {
    this.status = status;
    const { type = "text/plain; charset=utf-8", content = `${status} ${REASONS[status] ?? "Error"}\n` } =
      said ?? {};
    const length = Buffer.byteLength(content);
    this.#carrier.whole(status, ["Content-Type", type], this.#carrier.headOnly ? "" : content, length);
    this.completed();
  }

  /** The client has gone: whoever still writes is told. For servers. */
  abandon(error: Error): void {
    if (this.complete) return;
    this.#failure = error;
    this.#phase = this.#phase === "open" ? "lost" : "failed";
    this.#pending = undefined;
    this.#stopSource();
    this.#settle(error);
  }

  /** A stream nobody reads must not stay open. */
  #stopSource(): void {
    const stop = this.#stop;
    this.#stop = undefined;
    stop?.();
  }
}
