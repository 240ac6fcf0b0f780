/**
 * Reads one HTTP/1.1 response from bytes, however they are split, and rejects anything that is not framed
 * to the last byte: a load that checks a server must not be more lenient than the strictest client.
 */

/** A complete response. */
export interface ReceivedAnswer {
  readonly status: number;
  /** Names in lower case, in the order received. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** The status codes of the interim responses before it. */
  readonly informational: readonly number[];
  /** True if it ends its connection. */
  readonly closes: boolean;
}

/** The bytes are not a response that a client could accept. */
export class MalformedAnswer extends Error {
  override readonly name = "MalformedAnswer";
}

/** The values of a header field, joined as in RFC 9110, 5.3; undefined if absent. */
export function headerOf(answer: ReceivedAnswer, name: string): string | undefined {
  const values = answer.headers.filter((header) => header[0] === name).map((header) => header[1]);
  return values.length === 0 ? undefined : values.join(", ");
}

type Fields = (readonly [string, string])[];
type State = "head" | "sized" | "chunk-size" | "chunk-data" | "chunk-end" | "trailers" | "complete";

/** No server under test sends longer lines and heads. */
const LINE_MAX = 65536;

export class AnswerReader {
  readonly #method: string;
  #state: State = "head";
  #pending: Buffer = Buffer.alloc(0);
  #status = 0;
  #headers: Fields = [];
  #trailers: Fields = [];
  readonly #informational: number[] = [];
  readonly #body: Buffer[] = [];
  /** Bytes left of the content or of the chunk. */
  #left = 0;
  #closes = false;
  received = 0;

  /** @param method the request's: a response to HEAD has no content */
  constructor(method: string) {
    this.#method = method;
  }

  get complete(): boolean {
    return this.#state === "complete";
  }

  /** The bytes after the end of the response. */
  get rest(): Buffer {
    return this.#pending;
  }

  /** The response, once it is complete. */
  get answer(): ReceivedAnswer {
    if (!this.complete) throw new Error("the answer is not complete");
    return {
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#body),
      trailers: this.#trailers,
      informational: this.#informational,
      closes: this.#closes,
    };
  }

  /** The bytes received so far, for error messages. */
  get progress(): string {
    if (this.received === 0) return "nothing of the answer";
    const body = this.#body.reduce((size, piece) => size + piece.length, 0);
    return `${this.received} bytes of the answer (state ${this.#state}, ${body} bytes of content)`;
  }

  /** @throws MalformedAnswer */
  push(bytes: Buffer): void {
    this.received += bytes.length;
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (!this.complete && this.#step());
  }

  /** Advances by one step; returns false if more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#takeHead();
      case "sized":
      case "chunk-data":
        return this.#takeContent();
      case "chunk-size":
        return this.#takeChunkSize();
      case "chunk-end":
        return this.#takeChunkEnd();
      case "trailers":
        return this.#takeTrailer();
      case "complete":
        return false;
    }
  }

  #takeUntil(end: string): string | undefined {
    const at = this.#pending.indexOf(end);
    if (at === -1) {
      if (this.#pending.length > LINE_MAX) throw new MalformedAnswer(`${LINE_MAX} bytes without an end`);
      return undefined;
    }
    const text = this.#pending.toString("latin1", 0, at);
    this.#pending = this.#pending.subarray(at + end.length);
    return text;
  }

  #takeHead(): boolean {
    const head = this.#takeUntil("\r\n\r\n");
    if (head === undefined) return false;
    const [first = "", ...lines] = head.split("\r\n");
    const status = /^HTTP\/1\.1 ([1-9]\d\d) [\t -~]*$/.exec(first)?.[1];
    if (status === undefined) throw new MalformedAnswer(`no status line: ${JSON.stringify(first)}`);
    const headers = lines.map(parseField);
    if (status.startsWith("1")) {
      this.#informational.push(Number(status));
      return true;
    }
    this.#status = Number(status);
    this.#headers = headers;
    this.#closes = valuesOf(headers, "connection").some((option) => option.toLowerCase() === "close");
    this.#frame();
    return true;
  }

  /** Decides where the content ends (RFC 9112, 6.3). No response under test ends with its connection. */
  #frame(): void {
    const lengths = valuesOf(this.#headers, "content-length");
    const codings = valuesOf(this.#headers, "transfer-encoding");
    if (lengths.length + codings.length > 1)
      throw new MalformedAnswer("more than one of Content-Length and Transfer-Encoding");
    const bare = this.#method === "HEAD" || this.#status === 204 || this.#status === 304;
    if (bare) this.#state = "complete";
    else if (codings.length > 0) this.#beginChunks(codings[0]);
    else if (lengths.length > 0) this.#beginSized(lengths[0]);
    else throw new MalformedAnswer("neither Content-Length nor Transfer-Encoding");
  }

  #beginChunks(coding: string | undefined): void {
    if (coding?.toLowerCase() !== "chunked") throw new MalformedAnswer(`Transfer-Encoding: ${coding}`);
    this.#state = "chunk-size";
  }

  #beginSized(length: string | undefined): void {
    if (length === undefined || !/^\d{1,15}$/.test(length))
      throw new MalformedAnswer(`Content-Length: ${length}`);
    this.#left = Number(length);
    this.#state = this.#left === 0 ? "complete" : "sized";
  }

  #takeContent(): boolean {
    const piece = this.#pending.subarray(0, this.#left);
    if (piece.length === 0) return false;
    this.#pending = this.#pending.subarray(piece.length);
    this.#left -= piece.length;
    this.#body.push(piece);
    if (this.#left === 0) this.#state = this.#state === "sized" ? "complete" : "chunk-end";
    return true;
  }

  #takeChunkSize(): boolean {
    const line = this.#takeUntil("\r\n");
    if (line === undefined) return false;
    if (!/^[\da-f]{1,12}$/i.test(line)) throw new MalformedAnswer(`chunk size ${JSON.stringify(line)}`);
    this.#left = Number.parseInt(line, 16);
    this.#state = this.#left === 0 ? "trailers" : "chunk-data";
    return true;
  }

  #takeChunkEnd(): boolean {
    if (this.#pending.length < 2) return false;
    if (this.#pending.toString("latin1", 0, 2) !== "\r\n")
      throw new MalformedAnswer("a chunk without its end");
    this.#pending = this.#pending.subarray(2);
    this.#state = "chunk-size";
    return true;
  }

  #takeTrailer(): boolean {
    const line = this.#takeUntil("\r\n");
    if (line === undefined) return false;
    if (line === "") this.#state = "complete";
    else this.#trailers.push(parseField(line));
    return true;
  }
}

function parseField(line: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([\t -~\x80-\xff]*?)[\t ]*$/.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new MalformedAnswer(`no header field: ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}

/** The members of a list field. */
function valuesOf(fields: Fields, name: string): string[] {
  return fields
    .filter((field) => field[0] === name)
    .flatMap((field) => field[1].split(","))
    .map((value) => value.trim());
}
