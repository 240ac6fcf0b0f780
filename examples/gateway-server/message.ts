/** The bytes of one answer: its head, and content framed by its length, in chunks, or by the end of the connection. */
import { STATUS_CODES } from "node:http";
import { misuse } from "./errors.ts";
import { lines, type Pairs } from "./fields.ts";
import { type Body, bytesOf } from "./sources.ts";

/** The line and the fields that begin an answer. */
export function headOf(status: number, fields: Pairs): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines(fields)}\r\n`;
}

export class Message {
  readonly method: string;
  readonly httpVersion: "1.0" | "1.1";
  status = 0;
  fields: Pairs = [];
  /** The length that the app or the kind of content tells. */
  declared: number | undefined;
  /** The connection ends with this answer. */
  close = false;
  framing: "length" | "chunks" | "end" = "length";
  /** Bytes of content that the client gets. */
  bytes = 0;
  #given = 0;

  constructor(method: string, httpVersion: "1.0" | "1.1") {
    this.method = method;
    this.httpVersion = httpVersion;
  }

  /** Whether the answer carries no content, whatever the app gives (6.7). */
  get bare(): boolean {
    return this.method === "HEAD" || this.status === 204 || this.status === 205 || this.status === 304;
  }

  /** Composes the head; `length` is undefined where nobody knows it. */
  head(length: number | undefined): string {
    const { httpVersion, status } = this;
    const fields = this.fields.filter(([name]) => name.toLowerCase() !== "content-length");
    const at = this.fields.findIndex(([name]) => name.toLowerCase() === "content-length");
    const sent = status === 204 ? undefined : status === 205 ? 0 : length;
    if (sent !== undefined) fields.splice(at < 0 ? fields.length : at, 0, ["Content-Length", String(sent)]);
    this.framing = "length";
    if (length === undefined && status !== 204 && status !== 205 && status !== 304) {
      this.framing = httpVersion === "1.1" ? "chunks" : "end";
      if (this.framing === "chunks") fields.push(["Transfer-Encoding", "chunked"]);
    }
    const names = new Set(fields.map(([name]) => name.toLowerCase()));
    if (!names.has("date")) fields.push(["Date", new Date().toUTCString()]);
    this.close ||= this.framing === "end" && this.method !== "HEAD";
    const said = [
      ...(names.has("upgrade") ? ["upgrade"] : []),
      ...(this.close ? ["close"] : httpVersion === "1.0" ? ["keep-alive"] : []),
    ];
    if (said.length > 0) fields.push(["Connection", said.join(", ")]);
    return headOf(status, fields);
  }

  /** All of an answer in one piece. */
  whole(body: Body): Uint8Array {
    const content = body === null ? undefined : bytesOf(body);
    const none = this.bare ? this.declared : undefined;
    const head = this.head(content?.length ?? none ?? (this.status === 304 ? undefined : 0));
    const sent = this.bare || content === undefined ? new Uint8Array() : content;
    this.bytes = sent.length;
    return Buffer.concat([Buffer.from(head, "latin1"), sent]);
  }

  /** Counts a piece; throws if it is none, or more than the declared length (7.2). */
  take(piece: unknown): Uint8Array {
    const bytes = bytesOf(piece);
    const ignored = this.status === 204 || this.status === 205;
    if (this.declared !== undefined && this.#given + bytes.length > this.declared && !ignored)
      throw misuse(`the content is longer than its Content-Length, ${this.declared} bytes`);
    this.#given += bytes.length;
    return bytes;
  }

  /** A counted piece, as it is sent; undefined if it is not. */
  framed(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length === 0 || this.bare) return undefined;
    this.bytes += bytes.length;
    if (this.framing !== "chunks") return bytes;
    const size = Buffer.from(`${bytes.length.toString(16)}\r\n`);
    return Buffer.concat([size, bytes, Buffer.from("\r\n")]);
  }

  /** Throws if content is missing to the declared length. */
  checkEnd(): void {
    if (this.declared === undefined || this.#given >= this.declared || (this.bare && this.#given === 0))
      return;
    throw misuse(`the content has ${this.#given} bytes, and Content-Length is ${this.declared}`);
  }

  /** The end of content that came in pieces. */
  last(trailers: Pairs): string {
    return this.framing === "chunks" && !this.bare ? `0\r\n${lines(trailers)}\r\n` : "";
  }
}
