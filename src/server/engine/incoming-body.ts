/**
 * The content of one request as it arrives: passed on at its reader's speed, counted against the limit, and discarded
 * up to a bound if nobody reads it. The app's reads drive it; the dispatcher decides what a fault means for the
 * connection.
 */
import { BodyError } from "../../errors.ts";
import { type BodySource, MessageBody } from "../../exchange/message-body.ts";
import { ContentPace } from "../content-pace.ts";
import type { EngineOptions } from "../server-options.ts";
import type { ContentHost } from "./contract.ts";

/** Unread content up to this size is discarded to keep the connection; beyond it the connection is closed. */
const MAX_DISCARDED_BYTES = 65536;

export class IncomingBody implements BodySource {
  readonly body: MessageBody;
  readonly #host: ContentHost;
  readonly #limit: number;
  #size = 0;
  #isBeingRead = false;
  #received = false;
  #discarding = false;
  #continueDue: boolean;
  #discarded = 0;
  readonly pace: ContentPace;

  /**
   * @param length declared bytes, undefined if unknown
   * @param continueDue the client expects 100 Continue; its time does not run until that is sent
   */
  constructor(
    host: ContentHost,
    length: number | undefined,
    { limits, timeouts }: Pick<EngineOptions, "limits" | "timeouts">,
    continueDue: boolean,
  ) {
    this.#host = host;
    this.#limit = limits.body;
    this.#continueDue = continueDue;
    this.body = new MessageBody(length, this, limits.body);
    this.pace = new ContentPace(timeouts);
    if (!continueDue) this.awaitContent();
  }

  /** Starts the client's time to send the next content. */
  awaitContent(): void {
    this.#host.contentDeadline = this.pace.resume(this.#host.now);
  }

  /** Stops the client's time: nothing is expected of it for now. */
  #stopWaiting(): void {
    this.pace.pause(this.#host.now);
    this.#host.contentDeadline = Number.POSITIVE_INFINITY;
  }

  /** True once all content has arrived, or no more will. */
  get received(): boolean {
    return this.#received;
  }

  /** Bytes that have arrived. */
  get size(): number {
    return this.#size;
  }

  /** True once content has arrived that the app no longer reads. Further input is held until the response. */
  get discarding(): boolean {
    return this.#discarding;
  }

  /** True once the app has begun to read. */
  get isBeingRead(): boolean {
    return this.#isBeingRead;
  }

  /** True while the app reads and has not stopped. */
  get isStillRead(): boolean {
    return this.#isBeingRead && !this.body.abandoned;
  }

  /** True if the content still to arrive may be too much to discard. */
  get preventsKeepAlive(): boolean {
    // A client that expects 100 Continue may now send the content or leave it out: the next bytes would be ambiguous.
    if (this.#continueDue) return true;
    const { length } = this.body;
    return !this.#isBeingRead && (length === undefined || length > MAX_DISCARDED_BYTES);
  }

  /** Handles a piece, which is valid only during the call. */
  receive(chunk: Uint8Array): void {
    const host = this.#host;
    this.#size += chunk.length;
    // The client did not wait for 100 Continue (RFC 9110 section 10.1.1).
    this.#continueDue = false;
    this.pace.received(chunk.length, host.now);
    if (!host.input.halted) this.awaitContent();
    if (host.responseComplete && !this.isStillRead) {
      this.#discarded += chunk.length;
      if (!host.keepAlive || this.#discarded > MAX_DISCARDED_BYTES) host.close();
      return;
    }
    if (this.#size > this.#limit) {
      host.failContent(new BodyError(413, "the request body is too large"));
      return;
    }
    if (this.body.abandoned) {
      // Hold further input until the response, which ends the connection.
      host.disableKeepAlive();
      this.#stopWaiting();
      this.#discarding = true;
      return;
    }
    this.body.pushBorrowed(chunk);
  }

  /** All content has arrived. */
  end(rawTrailers: string[]): void {
    const { input } = this.#host;
    this.#received = true;
    input.unhalt();
    this.#stopWaiting();
    this.body.end(rawTrailers);
    // A disconnect is noticed only while the socket is read.
    input.resume();
  }

  /** No more content will arrive. */
  fail(error: BodyError): void {
    const { input } = this.#host;
    this.#received = true;
    this.#stopWaiting();
    this.body.fail(error);
    // Further input is held until the response, which ends the connection.
    input.unhalt();
    input.resume();
  }

  // ---- BodySource, called by the reader

  start(): void {
    this.#isBeingRead = true;
    if (this.#continueDue) {
      this.#continueDue = false;
      this.#host.sendContinue();
    }
    if (!this.#host.input.halted) this.awaitContent();
    this.#host.input.advance();
  }

  refused(error: BodyError): void {
    this.#host.failContent(error);
  }

  pause(): void {
    // The client's time stops while the app reads slowly, but not after the response, when the connection is due.
    if (!this.#host.responseComplete) this.#stopWaiting();
    this.#host.input.halt();
  }

  resume(): void {
    const { input } = this.#host;
    input.unhalt();
    if (!this.#received) this.awaitContent();
    if (input.hasHeld) input.advance();
    else input.resume();
  }
}
