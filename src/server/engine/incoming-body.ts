/**
 * The body of one request as it arrives: pushed at its reader's speed, counted against the limit, and read past within
 * a bound where nobody wants it. The reader drives it; what it means for the connection is the connection's to do.
 */
import { BodyError } from "../../errors.ts";
import { type BodySource, MessageBody } from "../../exchange/message-body.ts";
import { ContentPace } from "../content-pace.ts";
import type { EngineOptions } from "../server-options.ts";
import type { Input } from "./input.ts";

/** What an arriving body needs of its connection. */
export interface ArrivalHost {
  readonly input: Input;
  /** Nothing more will be sent in answer to the request. */
  readonly answerComplete: boolean;
  /** The connection is to outlive the answer. */
  readonly keepAlive: boolean;
  refuseKeepAlive(): void;
  /** The client waits for it; to be left out where the answer has begun. */
  sendContinue(): void;
  /** The server's time. */
  readonly now: number;
  /** Until when content is waited for, in the server's time; Infinity while it is not. */
  deadline: number;
  /** The content is broken, and its reader is to hear of it. */
  failContent(error: BodyError): void;
  close(): void;
}

/** An unread body up to this size is read and thrown away to keep the connection; beyond it we close. */
const DISCARD_MAX = 65536;

export class ArrivingBody implements BodySource {
  readonly body: MessageBody;
  readonly #host: ArrivalHost;
  readonly #limit: number;
  #size = 0;
  #wanted = false;
  #received = false;
  #givenUp = false;
  #continueDue: boolean;
  #discarded = 0;
  readonly #pace: ContentPace;

  /**
   * @param length declared bytes, undefined when it is not known
   * @param continueDue the client waits for 100 Continue, and is not waited for until it gets it
   */
  constructor(
    host: ArrivalHost,
    length: number | undefined,
    { limits, timeouts }: Pick<EngineOptions, "limits" | "timeouts">,
    continueDue: boolean,
  ) {
    this.#host = host;
    this.#limit = limits.body;
    this.#continueDue = continueDue;
    this.body = new MessageBody(length, this, limits.body);
    this.#pace = new ContentPace(timeouts);
    if (!continueDue) this.awaitContent();
  }

  /** The client gets its time to send the next content. */
  awaitContent(): void {
    this.#host.deadline = this.#pace.resume(this.#host.now);
  }

  /** Nothing is expected of the client for now. */
  #awaitNothing(): void {
    this.#pace.pause(this.#host.now);
    this.#host.deadline = Number.POSITIVE_INFINITY;
  }

  /** All of it has come, or nothing more of it will. */
  get received(): boolean {
    return this.#received;
  }

  /** The app has stopped reading, and content has come since: it is held until the answer. */
  get givenUp(): boolean {
    return this.#givenUp;
  }

  /** The app has begun to read it. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** The app reads it, and has not given up. */
  get readOn(): boolean {
    return this.#wanted && !this.body.abandoned;
  }

  /** True when what has not come yet is more than can be read past. */
  get hindersKeepAlive(): boolean {
    // A client that waits for 100 Continue may or may not send the content now: nobody can tell.
    if (this.#continueDue) return true;
    const { length } = this.body;
    return !this.#wanted && (length === undefined || length > DISCARD_MAX);
  }

  /** Takes a piece that is valid during the call only. */
  take(chunk: Uint8Array): void {
    const host = this.#host;
    this.#size += chunk.length;
    // It was not waited for (RFC 9110 section 10.1.1).
    this.#continueDue = false;
    this.#pace.received(chunk.length, host.now);
    if (!host.input.halted) this.awaitContent();
    if (host.answerComplete && !this.readOn) {
      this.#discarded += chunk.length;
      if (!host.keepAlive || this.#discarded > DISCARD_MAX) host.close();
      return;
    }
    if (this.#size > this.#limit) {
      host.failContent(new BodyError(413, "the request body is too large"));
      return;
    }
    if (this.body.abandoned) {
      // Nobody will read on: hold what comes until the answer, which ends the connection.
      host.refuseKeepAlive();
      this.#awaitNothing();
      this.#givenUp = true;
      return;
    }
    this.body.push(Buffer.from(chunk));
  }

  /** All of it has come. */
  end(rawTrailers: string[]): void {
    const { input } = this.#host;
    this.#received = true;
    input.unhalt();
    this.#awaitNothing();
    this.body.end(rawTrailers);
    // Only who reads on sees that the client goes.
    input.resume();
  }

  /** Nothing more of it will come. */
  break(error: BodyError): void {
    const { input } = this.#host;
    this.#received = true;
    this.#awaitNothing();
    this.body.fail(error);
    // What the client still sends is held until the answer, which ends the connection.
    input.unhalt();
    input.resume();
  }

  // ---- as its reader drives it

  start(): void {
    this.#wanted = true;
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
    // Before its answer an app may take its time; behind it the connection is not its own any more.
    if (!this.#host.answerComplete) this.#awaitNothing();
    this.#host.input.halt();
  }

  resume(): void {
    const { input } = this.#host;
    input.unhalt();
    if (!this.#received) this.awaitContent();
    if (input.holds) input.advance();
    else input.resume();
  }
}
