/**
 * One response to one request over any transport: the state behind `respond`. It enforces the rules of a
 * response (sent once, whole or in pieces; no content where HTTP forbids it; never truncated yet seemingly
 * complete). The transport below frames and sends it.
 */
import type { Duplex } from "node:stream";
import {
  type BodyError,
  ClientGone,
  errorStatus,
  GatewayError,
  isClientGone,
  thrownError,
} from "../errors.ts";
import { isBlob } from "../gateway/blob.ts";
import { clause } from "../gateway/clauses.ts";
import { rawFields } from "../gateway/fields.ts";
import { forbidsContent, isFinalStatus, isInformationalStatus } from "../gateway/statuses.ts";
import type { FileBody, Finished, HeadersInput, ResponseBody, ResponseWriter } from "../gateway/types.ts";
import { contentSource, discardContent, isFileBody, openFile } from "./content.ts";
import { attributeToFault } from "./content-fault.ts";
import { type BoundRespond, bindRespond } from "./respond.ts";
import {
  contentLengthFor,
  extractContentLength,
  informationalFields,
  lengthMismatch,
  upgradeFields,
} from "./response-rules.ts";
import { ExchangeWriter, ResponseStream } from "./response-stream.ts";
import { type DressedAnswer, lengthOf, PLAIN_TYPE, plainContent } from "./server-answer.ts";
import type { Transport } from "./transport.ts";

/** The content of a 500 response. */
export interface ErrorContent {
  /** The media type. */
  readonly type: string;
  readonly content: string;
}

/** Makes the content of a 500 from the app's error. */
export type DescribeError = (error: Error) => ErrorContent;

/** How the app dresses a response that is sent in its place; undefined leaves it as it is. */
export type DressError = (status: number, error: Error) => DressedAnswer | undefined;

/** Reports to the server an error that the app caused or met. */
export type ResponseErrorListener = (error: Error, headSent: boolean) => void;

/**
 * `lost`: the server ended the exchange before the app responded (the client disconnected, or the request
 * timed out). A later response of the app is discarded and is not an error.
 */
type Phase = "open" | "begun" | "complete" | "upgraded" | "failed" | "lost";

export class ExchangeResponse {
  readonly respond: BoundRespond;
  /** The status sent; 0 before that. */
  status = 0;
  /** Bytes of content sent so far. */
  bytes = 0;
  /** The fault in the request's content, once there is one. Later errors of the app are attributed to it. */
  fault: BodyError | undefined;
  #phase: Phase = "open";
  readonly #transport: Transport;
  readonly #onError: ResponseErrorListener;
  readonly #dress: DressError | undefined;
  readonly #describe: DescribeError | undefined;
  /** The content sent in pieces; undefined if the response is sent in one call. */
  #stream: ResponseStream | undefined;
  #failure: Error | undefined;
  #finished: Promise<Finished> | undefined;
  /** Settles the promise of `finished`; undefined until it is called. */
  #settle: ((error: Error | undefined) => void) | undefined;

  /**
   * @param dress has the app dress what is sent in its place; undefined if it does not
   * @param describe makes the content of a 500 from the app's error; undefined: the content is the status only
   */
  constructor(
    transport: Transport,
    onError: ResponseErrorListener,
    dress?: DressError,
    describe?: DescribeError,
  ) {
    this.#transport = transport;
    this.#onError = onError;
    this.#dress = dress;
    this.#describe = describe;
    this.respond = bindRespond(this);
  }

  /** True once the app, or the server in its place, has begun a response. */
  get sent(): boolean {
    return this.#phase !== "open";
  }

  /** True once the head has been handed to the transport. */
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

  /** The error with which the response ended; pending and later writes fail with it. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Implements `respond`. Servers may put a fast path for the simplest responses before it. */
  begin(status: number, headers: HeadersInput | null | undefined, body: ResponseBody | undefined): unknown {
    if (this.#phase === "lost") return this.#discard(body);
    this.claim();
    try {
      return this.#dispatch(status, headers, body);
    } catch (error) {
      this.#reopen();
      throw error;
    }
  }

  /** Discards the response of an app that responds too late. A second one is an error, as usual. */
  #discard(body: ResponseBody | undefined): ResponseWriter | undefined {
    this.#phase = "failed";
    this.respond.sent = true;
    if (body === undefined) return this.#writer(new ResponseStream(this, this.#transport, this.status));
    discardContent(body);
    return undefined;
  }

  /** Marks the response as begun; throws `GatewayError` the second time. */
  claim(): void {
    if (this.#phase !== "open")
      throw new GatewayError(clause.once, "respond was called twice for one request");
    this.#phase = "begun";
    this.respond.sent = true;
  }

  /** Undoes `claim` after an invalid status or header, so that the app can still respond, or the server with a 500. */
  #reopen(): void {
    if (this.headSent) return;
    this.#phase = "open";
    this.respond.sent = false;
  }

  #dispatch(
    status: number,
    headers: HeadersInput | null | undefined,
    body: ResponseBody | undefined,
  ): ResponseWriter | undefined {
    if (!isFinalStatus(status)) {
      throw new GatewayError(clause.status, `${String(status)} is not a final status (200 to 599)`);
    }
    const fields = rawFields(headers);
    const declared = extractContentLength(fields);
    if (body === undefined) {
      if (!forbidsContent(status)) return this.#writer(this.#openStream(status, fields, declared));
      this.sendWhole(status, fields, "", declared);
      return this.#writer(new ResponseStream(this, this.#transport, status));
    }
    if (body === null) this.sendWhole(status, fields, "", declared);
    else if (typeof body === "string" || body instanceof Uint8Array)
      this.sendWhole(status, fields, body, declared);
    else if (typeof body !== "object")
      throw new GatewayError(clause.content, `content cannot be a ${typeof body}`);
    else if (isFileBody(body)) this.#sendFile(status, fields, body, declared);
    else {
      const size = isBlob(body) ? body.size : declared;
      if (declared !== undefined && declared !== size)
        throw lengthMismatch(declared, `the Blob has ${size} bytes`);
      const source = contentSource(body);
      this.#run(() => this.#openStream(status, fields, size).sendAll(source));
    }
    return undefined;
  }

  #openStream(status: number, fields: string[], declared: number | undefined): ResponseStream {
    this.#stream = new ResponseStream(this, this.#transport, status, fields, declared);
    return this.#stream;
  }

  #writer(stream: ResponseStream): ResponseWriter {
    return new ExchangeWriter(this, stream);
  }

  /** Sends a response with all of its content. @throws GatewayError if that does not have the declared length */
  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    declared: number | undefined,
  ): void {
    const length = lengthOf(content);
    const omitsContent = this.#transport.headOnly || forbidsContent(status);
    if (declared !== undefined && declared !== length && !(omitsContent && length === 0)) {
      throw lengthMismatch(declared, `the content has ${length} bytes`);
    }
    this.status = status;
    this.bytes = omitsContent ? 0 : length;
    this.#transport.sendWhole(
      status,
      fields,
      omitsContent ? "" : content,
      contentLengthFor(status, length, declared),
    );
    this.finish();
  }

  #sendFile(status: number, fields: string[], body: FileBody, declared: number | undefined): void {
    this.#run(async () => {
      const file = await openFile(body);
      try {
        // The handler may have thrown, the request timed out or the client disconnected in the meantime.
        if (this.complete) return;
        if (declared !== undefined && declared !== file.length) {
          throw lengthMismatch(declared, `the file part has ${file.length} bytes`);
        }
        await this.#openStream(status, fields, file.length).sendAll(file.source);
      } finally {
        await file.close();
      }
    });
  }

  #run(task: () => Promise<void>): void {
    task().then(undefined, (error: unknown) => this.fail(error));
  }

  informational(status: number, headers?: HeadersInput): void {
    if (!isInformationalStatus(status)) {
      throw new GatewayError(
        clause.informational,
        `${String(status)} is not an informational status that an app can send (102 to 199)`,
      );
    }
    if (this.#phase === "lost") return;
    if (this.headSent || this.complete) {
      throw new GatewayError(clause.informational, "an informational response must precede the final one");
    }
    this.#transport.informational(status, informationalFields(headers));
  }

  upgrade(headers?: HeadersInput | null): Duplex {
    if (!this.#transport.upgradable) {
      throw new GatewayError(clause.upgrade, "the request does not ask for a protocol change");
    }
    if (this.#phase === "lost") throw this.#failure ?? new ClientGone();
    const fields = headers === undefined || headers === null ? undefined : upgradeFields(headers);
    this.claim();
    this.status = 101;
    this.#phase = "upgraded";
    this.#settle?.(undefined);
    return this.#transport.upgrade(fields);
  }

  finished(): Promise<Finished> {
    if (this.#finished === undefined) {
      this.#finished = new Promise((resolve, reject) => {
        this.#settle = (error) =>
          error === undefined ? resolve({ status: this.status, bytes: this.bytes }) : reject(error);
      });
      // The failure has been reported already, so a caller need not handle the rejection.
      this.#finished.catch(() => {});
      if (this.complete) this.#settle?.(this.#failure);
    }
    return this.#finished;
  }

  /** Marks the response as complete. For servers that send one without `begin`. */
  finish(): void {
    this.#phase = "complete";
    this.#settle?.(undefined);
    this.completed();
  }

  /** Called once, when the complete response has been handed to the transport. For servers to override. */
  protected completed(): void {}

  /**
   * Handles a failure of the app: an exception, a failed stream or `destroy`. Before the head it sends an error
   * response (the error's own status or 500); after the head it destroys the connection.
   */
  fail(cause: unknown): void {
    const thrown = thrownError(cause);
    const error = this.fault === undefined ? thrown : attributeToFault(thrown, this.fault);
    if (this.complete) {
      if (this.#phase === "complete" || this.#phase === "upgraded") this.#onError(error, true);
      return;
    }
    this.#break(error, true);
  }

  /**
   * Ends the exchange on the server's behalf: the request timed out, or its body failed. Works like `fail`, except
   * that a later response of the app is discarded without an error.
   *
   * @param reason what `finished()` rejects with: that of the request's signal if it made the response fail
   */
  abort(error: Error, reason = error): void {
    if (!this.complete) this.#break(error, false, reason);
  }

  #break(error: Error, byApp: boolean, reason = error): void {
    const headSent = this.headSent;
    const begun = byApp || this.#phase !== "open";
    this.#failure = reason;
    this.#stream?.stop();
    if (!isClientGone(error)) this.#onError(error, headSent);
    if (headSent) {
      this.#phase = "failed";
      this.#transport.destroy(error);
    } else {
      if (this.#phase === "open") this.claim();
      this.#phase = begun ? "failed" : "lost";
      const status = errorStatus(error);
      const described = status === undefined ? this.#describe?.(error) : undefined;
      this.#sendError(status ?? 500, described ?? this.#dress?.(status ?? 500, error));
    }
    this.#settle?.(reason);
  }

  /** Sends the server's own short response for `status`. */
  #sendError(status: number, shown: ErrorContent | DressedAnswer | undefined): void {
    this.status = status;
    const fields = shown && "fields" in shown ? shown.fields : ["Content-Type", shown?.type ?? PLAIN_TYPE];
    const content = shown?.content ?? plainContent(status);
    const { headOnly } = this.#transport;
    this.#transport.sendWhole(status, fields, headOnly ? "" : content, lengthOf(content));
    this.completed();
  }

  /** Call when the client has disconnected: pending and later writes fail with `error`. For servers. */
  abandon(error: Error): void {
    if (this.complete) return;
    this.#failure = error;
    this.#phase = this.#phase === "open" ? "lost" : "failed";
    this.#stream?.stop();
    this.#settle?.(error);
  }
}
