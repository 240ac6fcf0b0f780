/**
 * A stream that an extended CONNECT (RFC 8441) has opened, as the bare connection that a library for WebSockets expects:
 * the response head that it writes in HTTP/1.1 becomes the response of the stream, and all else passes as it is.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { splitFields } from "../../http/request-head.ts";
import { parseStatus } from "../start-line.ts";
import { responseFields } from "./response-fields.ts";

const HEAD_END = "\r\n\r\n";
/** Bytes of a head that an app may write. */
const MAX_HEAD_BYTES = 65_536;
/** Fields of the handshake of HTTP/1.1 only (RFC 8441 section 5). */
const HANDSHAKE_FIELDS = new Set(["sec-websocket-accept", "content-length"]);

export class StreamTunnel extends Duplex {
  readonly #stream: ServerHttp2Stream;
  readonly #onHead: (status: number) => void;
  /** The client has ended its side. */
  #ended = false;
  /** The part of its head that the app has written; undefined once the response has been sent. */
  #head: Buffer | undefined = Buffer.alloc(0);

  /** @param fields those of the response to send at once; undefined: the app writes its head */
  constructor(stream: ServerHttp2Stream, fields: string[] | undefined, onHead: (status: number) => void) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#onHead = onHead;
    // A reset by the client must not crash the worker of an app without an error listener.
    this.on("error", () => {});
    stream.removeAllListeners("data").removeAllListeners("end").removeAllListeners("trailers");
    stream.on("data", (bytes: Buffer) => {
      if (!this.push(bytes)) stream.pause();
    });
    stream.on("end", () => {
      // A stream that was reset ends as well.
      if (stream.aborted || stream.rstCode !== 0) return;
      this.#ended = true;
      this.push(null);
    });
    stream.on("close", () => {
      // If both sides ended properly, the tunnel closes by itself once it is read to the end.
      if (!this.#ended || !this.writableFinished) this.destroy();
    });
    if (fields !== undefined) this.#respond(101, fields);
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#head === undefined) {
      this.#pass(bytes, done);
      return;
    }
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) {
      done(this.#head.length > MAX_HEAD_BYTES ? new Error("the response head is too large") : null);
      return;
    }
    const text = this.#head.toString("latin1", 0, end + 2);
    const rest = this.#head.subarray(end + HEAD_END.length);
    const status = parseStatus(text);
    if (status === undefined) {
      done(new Error("the response does not begin with a status line of HTTP/1.1"));
      return;
    }
    this.#respond(status, splitFields(text.slice(text.indexOf("\r\n") + 2)));
    if (rest.length === 0) done();
    else this.#pass(rest, done);
  }

  #respond(status: number, fields: string[]): void {
    this.#head = undefined;
    this.#onHead(status);
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const headers = responseFields(fields);
    for (const name of HANDSHAKE_FIELDS) delete headers[name];
    // RFC 8441 section 5: 200 stands for the 101 of HTTP/1.1.
    headers[":status"] = status === 101 ? 200 : status;
    stream.respond(headers);
  }

  #pass(bytes: Buffer, done: (error?: Error | null) => void): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) done(new Error("the client closed the stream"));
    else stream.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#stream.destroyed) this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#stream.destroyed && !this.#stream.closed) {
      const isDone = error === null && this.writableFinished;
      this.#stream.close(isDone ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    }
    done(error);
  }
}
