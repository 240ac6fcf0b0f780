/**
 * Drives the parser as a connection does: piece by piece, message by message, and not past a request that ends the
 * connection. Records the result in the form of the corpus.
 */
import assert from "node:assert/strict";
import { HttpError } from "../../src/errors.ts";
import type { RequestLimits } from "../../src/http/head-limit.ts";
import type { RequestHead } from "../../src/http/request-head.ts";
import { RequestParser } from "../../src/http/request-parser.ts";
import type { Ending, Reading, ReadRequest } from "./corpus.ts";

/** gunicorn's defaults, which the corpus assumes. */
export const CORPUS_LIMITS: RequestLimits = { requestLine: 4094, fields: 100, fieldSize: 8190 };

const AFTERWARDS = Buffer.from("GET /afterwards HTTP/1.1\r\nHost: a.example\r\n\r\n");

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    list.push([raw[index] as string, raw[index + 1] as string]);
  }
  return list;
}

/** A message that is arriving. */
class Message {
  readonly #head: RequestHead;
  #content = "";

  constructor(head: RequestHead) {
    this.#head = head;
  }

  /** Copies a piece of content, which is only a view. */
  add(chunk: Uint8Array): void {
    assert.ok(chunk.length > 0, "an empty piece of content");
    this.#content += Buffer.from(chunk).toString("latin1");
  }

  get persistent(): boolean {
    return this.#head.keepAlive;
  }

  get upgrade(): boolean {
    return this.#head.upgrade;
  }

  read(rawTrailers: readonly string[]): ReadRequest {
    const head = this.#head;
    return {
      method: head.method,
      target: head.target,
      httpVersion: head.httpVersion as "1.0" | "1.1",
      headers: pairs(head.rawHeaders),
      body: this.#content,
      trailers: pairs(rawTrailers),
      upgrade: head.upgrade,
      expectContinue: head.expectContinue,
    };
  }

  /** Checks that `contentLength` agrees with the content. */
  checkLength(): void {
    const declared = this.#head.contentLength;
    if (declared !== undefined)
      assert.equal(this.#content.length, declared, "the content is not as long as declared");
  }
}

/** A connection without a socket. */
class Connection {
  readonly #requests: ReadRequest[] = [];
  readonly #parser: RequestParser;
  #message: Message | undefined;
  #ending: Ending | undefined;
  /** Number of heads and ends, at which the parser may stop within a piece. */
  #events = 0;

  constructor(limits: RequestLimits) {
    this.#parser = new RequestParser(limits, {
      onHead: (head) => {
        assert.equal(this.#ending, undefined, "a head after the end");
        assert.equal(this.#message, undefined, "a head inside a message");
        this.#message = new Message(head);
        this.#events += 1;
      },
      onBody: (chunk) => {
        assert.ok(this.#message, "content without a head");
        this.#message.add(chunk);
      },
      onEnd: (rawTrailers) => {
        assert.ok(this.#message, "an end without a head");
        this.#endMessage(this.#message, rawTrailers);
      },
    });
  }

  #endMessage(message: Message, rawTrailers: readonly string[]): void {
    message.checkLength();
    this.#requests.push(message.read(rawTrailers));
    this.#message = undefined;
    this.#events += 1;
    if (message.upgrade) this.#ending = "upgrade";
    else if (!message.persistent) this.#ending = "closed";
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  /** Parses a piece, then overwrites it: the parser must keep a copy of its own. */
  receive(piece: Buffer): void {
    let at = 0;
    while (at < piece.length && !this.ended) {
      const before = this.#events;
      const given = piece.length - at;
      const consumed = this.#execute(piece, at);
      if (consumed === undefined) return;
      assert.ok(
        Number.isInteger(consumed) && consumed > 0 && consumed <= given,
        `consumed ${consumed} of ${given}`,
      );
      assert.ok(
        consumed === given || this.#events > before,
        `stopped for nothing at ${consumed} of ${given}`,
      );
      at += consumed;
    }
    piece.fill(0x2a);
  }

  /** The client closes its sending side. */
  end(): Reading {
    if (this.#ending === undefined) {
      this.#ending = this.#finish();
    }
    const partial = this.#message?.read([]);
    return { requests: this.#requests, ...(partial === undefined ? {} : { partial }), ending: this.#ending };
  }

  #finish(): Ending {
    try {
      this.#parser.finish();
      return "open";
    } catch (error) {
      assert.equal(statusOf(error), 400);
      return "incomplete";
    }
  }

  /** Returns the number of bytes consumed; undefined if the piece was refused. */
  #execute(piece: Buffer, at: number): number | undefined {
    try {
      return this.#parser.execute(piece, at, piece.length - at);
    } catch (error) {
      this.#ending = { refused: statusOf(error) };
      // Parsing after the refusal must have no effect: the events would fail.
      assert.throws(
        () => this.#parser.execute(Buffer.from(AFTERWARDS)),
        HttpError,
        "parsed on after a refusal",
      );
      return undefined;
    }
  }
}

/** Rethrows an error that is not a refusal. */
function statusOf(error: unknown): number {
  if (!(error instanceof HttpError)) throw error;
  assert.ok(error.status >= 400 && error.status <= 599 && error.message !== "", `status ${error.status}`);
  return error.status;
}

/** Parses the pieces of one connection to its end. */
export function drive(pieces: Iterable<Uint8Array>, limits: RequestLimits = CORPUS_LIMITS): Reading {
  const connection = new Connection(limits);
  for (const piece of pieces) {
    connection.receive(Buffer.from(piece));
    if (connection.ended) break;
  }
  return connection.end();
}

/** Splits the bytes at the given positions (ascending). */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places, bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

/** The bytes one by one. */
export function* singly(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1) yield bytes.subarray(at, at + 1);
}
