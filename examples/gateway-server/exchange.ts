/** One request, the call of its handler, and its answers (docs/gateway.md, sections 2, 3, 6 to 9, 11 and 12). */
import type { Duplex } from "node:stream";
import { inspect } from "node:util";
import type { Finished, GatewayRequest, Handler, HeadersInput, Respond, ResponseWriter } from "tsgun/gateway";
import { answerOf, type Given } from "./answer.ts";
import { Content, DISCARD_LIMIT } from "./content.ts";
import { Deadline } from "./deadline.ts";
import { asError, failure, misuse, statusOf } from "./errors.ts";
import { NOT_IN_101, NOT_INFORMATIONAL, OF_SERVER, options, type Pairs, pairsOf, without } from "./fields.ts";
import type { Head } from "./head.ts";
import type { Host } from "./host.ts";
import { headOf, Message } from "./message.ts";
import { present } from "./request.ts";
import { type Body, openFile, type Source, sourceOf } from "./sources.ts";
import type { Wire } from "./wire.ts";
import { writerOf } from "./writer.ts";

/** The fate of the connection. */
export type Fate = "keep" | "close" | "upgraded";

export class Exchange {
  readonly request: GatewayRequest;
  readonly respond: Respond;
  readonly content: Content;
  /** Resolves when the answer is complete or given up. */
  readonly over: Promise<Fate>;
  #leave!: (fate: Fate) => void;
  readonly #host: Host;
  readonly #wire: Wire;
  readonly #head: Head;
  readonly #message: Message;
  /** 2.1; "ending" is complete but for the system. */
  #state: "unanswered" | "begun" | "sent" | "ending" | "complete" | "gone" = "unanswered";
  /** The app has called, or the server has answered in its place: the next call is one too many. */
  #called = false;
  readonly #abort = new AbortController();
  readonly #finished: Promise<Finished>;
  #resolve!: (finished: Finished) => void;
  #reject!: (error: Error) => void;
  readonly #deadline = new Deadline(() => this.#expire());
  readonly #reported = new Set<unknown>();
  #failure: Error | undefined;
  #continued = false;
  #release: (() => void) | undefined;

  constructor(host: Host, wire: Wire, head: Head) {
    this.#host = host;
    this.#wire = wire;
    this.#head = head;
    this.#message = new Message(head.method, head.httpVersion);
    this.over = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#finished.catch(() => {});
    this.content = new Content(wire, head.length, host.bodyLimit, () => {
      if (!head.expects || this.#continued || !this.#isOpen) return;
      this.#continued = true;
      wire.write("HTTP/1.1 100 Continue\r\n\r\n");
    });
    this.request = present(head, this.content, wire, {
      id: host.nextId(),
      rootPath: host.rootPath,
      worker: host.worker,
      state: host.state,
      signal: this.#abort.signal,
      waitUntil: (work) =>
        host.watch(Promise.resolve(work).then(undefined, (error) => void this.#report(error))),
      onExtend: (milliseconds) => {
        if (host.requestTimeout !== undefined && this.#isOpen) this.#deadline.set(milliseconds);
      },
    });
    this.respond = this.#respond();
    if (host.requestTimeout !== undefined) this.#deadline.set(host.requestTimeout);
    wire.onEnd = () => this.#clientEnded();
    if (wire.ended) this.#clientEnded();
  }

  get #isOpen(): boolean {
    return this.#state === "unanswered" || this.#state === "begun";
  }

  get #isOver(): boolean {
    return this.#state === "complete" || this.#state === "gone";
  }

  #respond(): Respond {
    return Object.defineProperties((...given: Given) => this.#answer(given), {
      sent: { get: () => this.#state !== "unanswered" },
      finished: { value: () => this.#finished },
      informational: { value: (status: number, headers?: HeadersInput) => this.#inform(status, headers) },
      upgrade: { value: (headers?: HeadersInput | null) => this.#upgrade(headers) },
    }) as unknown as Respond;
  }

  /** Calls the handler (3.1, 11). */
  run(handler: Handler<never>, app: unknown): void {
    let result: unknown;
    try {
      result = handler.call(app as undefined, this.request as GatewayRequest<never>, this.respond);
      if (typeof (result as { then?: unknown } | undefined)?.then !== "function") return;
    } catch (error) {
      this.fail(error);
      return;
    }
    const settled = Promise.resolve(result).then(
      () => {
        if (this.#state === "unanswered")
          this.fail(misuse("the handler is over and has not answered (3.1.3)"));
      },
      (error) => this.fail(error),
    );
    this.#host.watch(settled);
  }

  /** An error of the app (11.1 to 11.5). */
  fail(thrown: unknown): void {
    const error = this.#report(thrown);
    this.#failure ??= error;
    if (this.#isOpen) this.#stand(statusOf(error), error, "complete");
    else if (this.#state === "sent") this.#cut(error);
  }

  /** The worker is forced out (12.5). */
  force(): void {
    if (this.#isOver) return;
    this.#abort.abort(failure("RequestAborted", "the server shuts down"));
    this.#gone(this.#abort.signal.reason);
  }

  #report(thrown: unknown): Error {
    const error = asError(thrown);
    // Node wraps the reason of a signal in an AbortError (11.4).
    const reason = this.#abort.signal.aborted && error.cause === this.#abort.signal.reason;
    if (!this.#reported.has(thrown) && error.name !== "ClientGone" && !reason) {
      this.#reported.add(thrown);
      this.#reported.add(error);
      this.#host.report(error, this.request.id);
    }
    return error;
  }

  /** Answers in the place of the app. */
  #stand(status: number, error: Error, state: "complete" | "gone"): void {
    const begun = this.#state === "begun";
    this.#called ||= state === "complete";
    this.#release?.();
    const { fields, body } = this.#host.dress(status, error, this.request);
    Object.assign(this.#message, { status, fields, declared: undefined });
    this.#message.close ||= state === "gone";
    if (state === "gone" || begun) this.#reject(error);
    this.#state = "sent";
    this.#whole(body);
    if (state === "gone") this.#state = "gone";
  }

  #cut(error: Error): void {
    this.#gone(error);
    const { socket } = this.#wire;
    // Content that the end of the connection ends looks complete, unless the connection is reset.
    if (this.#message.framing === "end") socket.resetAndDestroy();
    else socket.destroy();
  }

  #gone(error: Error): void {
    this.#state = "gone";
    this.#deadline.clear();
    this.#reject(error);
    this.#release?.();
    this.#leave("close");
  }

  #clientEnded(): void {
    if (this.#isOver) return;
    if (!this.#abort.signal.aborted)
      this.#abort.abort(failure("ClientGone", "the client has closed the connection"));
    if (this.#wire.closed) this.#gone(this.#abort.signal.reason);
  }

  #expire(): void {
    const error = failure("RequestAborted", "the time for the request is over");
    this.#abort.abort(error);
    this.#report(error);
    this.#failure ??= error;
    this.#stand(503, error, "gone");
  }

  #answer(given: Given): ResponseWriter | undefined {
    if (this.#called) throw misuse("the request is answered already (6.6.1)");
    const [, , body] = given;
    if (this.#state === "gone") {
      this.#called = true;
      if (body !== undefined && body !== null && typeof body === "object" && !(body instanceof Uint8Array))
        (sourceOf(body) as Partial<Source>).release?.();
      return given.length > 2 ? undefined : this.#writer();
    }
    const { status, fields, declared, content } = answerOf(given, this.#head.method);
    // Nothing below throws because of what was given.
    this.#called = true;
    Object.assign(this.#message, { status, declared, fields: without(fields, OF_SERVER) });
    this.#message.close ||= options(fields, "connection").includes("close");
    this.#state = "begun";
    if (content === undefined) {
      if (status === 204 || status === 205 || status === 304) this.#whole(null);
      return this.#writer();
    }
    if (content === null || content instanceof Uint8Array) {
      this.#whole(content);
      return undefined;
    }
    const sent =
      "file" in content ? openFile(content).then((opened) => this.#stream(opened)) : this.#stream(content);
    this.#host.watch(sent.catch((error) => this.fail(error)));
    return undefined;
  }

  /** Decides whether the connection ends with the answer; to be called before its head is composed. */
  #settleClose(): void {
    const { content } = this;
    const waits = this.#head.expects && !this.#continued && !content.done;
    const tooLong = !content.used && (content.length ?? 0) > DISCARD_LIMIT;
    const broken = content.error !== undefined && !content.done;
    const ends = !this.#head.keepAlive || this.request.draining || this.#head.upgrade;
    this.#message.close ||= ends || waits || tooLong || broken;
  }

  /** Sends all of an answer in one write. */
  #whole(body: Body): void {
    this.#settleClose();
    this.#end(this.#wire.write(this.#message.whole(body)));
  }

  /** The last bytes are on their way. */
  #end(written: Promise<void>): void {
    if (this.#state !== "gone") this.#state = "ending";
    this.#deadline.clear();
    written.then(
      () => {
        if (this.#state === "ending") this.#state = "complete";
        this.#resolve({ status: this.#message.status, bytes: this.#message.bytes });
        this.content.leave();
        this.#wire.wake();
        this.#leave(this.#message.close || this.request.draining ? "close" : "keep");
      },
      (error: Error) => this.#gone(this.#abort.signal.aborted ? this.#abort.signal.reason : error),
    );
  }

  /** Sends the head of content that comes in pieces. */
  #begin(length = this.#message.declared): Promise<void> {
    this.#settleClose();
    const head = this.#message.head(length);
    this.#state = "sent";
    this.#deadline.clear();
    return this.#wire.write(head);
  }

  /** Sends a piece; throws if it is none or too much, with nothing sent (7.2). */
  #put(piece: unknown): Promise<void> {
    const bytes = this.#message.take(piece);
    const begun = this.#state === "begun" ? this.#begin() : undefined;
    const framed = this.#message.framed(bytes);
    return framed === undefined ? (begun ?? Promise.resolve()) : this.#wire.write(framed);
  }

  /** Ends content that came in pieces. */
  #finish(trailers: Pairs = []): void {
    // Checked before the head, so that the client gets 500 and no cut.
    this.#message.checkEnd();
    if (this.#state === "begun") this.#begin();
    this.#end(this.#wire.write(this.#message.last(trailers)));
  }

  async #stream(source: Source): Promise<void> {
    let released = false;
    const release = (): void => {
      if (!released) source.release();
      released = true;
    };
    if (this.#state !== "begun") return release();
    const message = this.#message;
    if (message.bare) {
      release();
      this.#begin(message.declared ?? source.length);
      return this.#end(this.#wire.write(""));
    }
    this.#release = release;
    try {
      if (source.length !== undefined) {
        if (message.declared !== undefined && message.declared !== source.length)
          throw misuse(`Content-Length is ${message.declared}, but the content has ${source.length} bytes`);
        message.declared = source.length;
      }
      for (;;) {
        const next = source.next();
        if (this.#state === "begun") {
          // A slow source does not delay the head; one that fails at once still gives 500 (6.4.3).
          const turn = new Promise<"turn">((resolve) => setImmediate(resolve, "turn"));
          if ((await Promise.race([next, turn])) === "turn" && this.#state === "begun") this.#begin();
        }
        const { done, value } = await next;
        if (this.#state !== "begun" && this.#state !== "sent") return release();
        if (done === true) break;
        await this.#put(value);
      }
      this.#release = undefined;
      // A file is closed at its end, too.
      if (source.length !== undefined) release();
      if (this.#state === "begun") message.declared ??= 0;
      this.#finish();
    } catch (error) {
      release();
      throw error;
    }
  }

  #writer(): ResponseWriter {
    const message = this.#message;
    return writerOf({
      isComplete: this.#state !== "begun" && this.#state !== "gone",
      broken: () => this.#failure ?? (this.#state === "gone" ? this.#abort.signal.reason : undefined),
      put: (piece) => this.#put(piece),
      flush: () => (this.#state === "begun" ? this.#begin() : Promise.resolve()),
      end: (piece, trailers) => {
        const chunked = trailers.length > 0 && this.#head.httpVersion === "1.1";
        if (this.#state === "begun" && message.declared === undefined && !chunked) {
          this.#whole(piece);
        } else {
          if (piece !== null) this.#put(piece);
          this.#finish(trailers);
        }
        return this.#finished;
      },
      finished: () => this.#finished,
      fail: (error) => this.fail(error),
    });
  }

  #inform(status: number, headers?: HeadersInput): void {
    if (this.#state === "gone") return;
    if (!this.#isOpen) throw misuse("the head of the answer is sent (8.1)");
    if (!Number.isInteger(status) || status < 102 || status > 199)
      throw misuse(`an informational status is an integer from 102 to 199, not ${inspect(status)}`);
    const fields = without(pairsOf(headers), NOT_INFORMATIONAL);
    if (this.#head.httpVersion === "1.1") this.#wire.write(headOf(status, fields));
  }

  #upgrade(headers?: HeadersInput | null): Duplex {
    if (this.#called) throw misuse("the request is answered already (6.6.1)");
    if (!this.#head.upgrade) throw misuse("the request asks for no other protocol (9.3)");
    if (this.#state === "gone") throw this.#abort.signal.reason;
    const fields = without(pairsOf(headers), NOT_IN_101);
    this.#called = true;
    this.#state = "complete";
    this.#deadline.clear();
    if (headers !== undefined && headers !== null) {
      const named = options(fields, "connection").includes("upgrade");
      const sent: Pairs = named ? fields : [["Connection", "Upgrade"], ...without(fields, OF_SERVER)];
      this.#wire.write(headOf(101, sent));
    }
    this.#resolve({ status: 101, bytes: 0 });
    this.#leave("upgraded");
    return this.#wire.release();
  }
}
