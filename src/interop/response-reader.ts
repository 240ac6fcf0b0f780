/**
 * A client-side parser for one response: informational heads, the final head, content and trailers. It is strict about
 * framing (RFC 9112 sections 6 and 7). Bytes in, events out.
 *
 * Node's own, behind `http.request`, cannot take its place in the bridge: it sends HTTP/1.1 only and adds a Connection
 * field, and every tracer that instruments it would record an outgoing request for each incoming one.
 */

export interface ResponseEvents {
  onInformational(status: number, rawHeaders: string[]): void;
  /** The final head, or that of a 101. */
  onHead(status: number, rawHeaders: string[]): void;
  onContent(chunk: Buffer): void;
  /** The response is complete. Bytes after a 101 are no longer HTTP. */
  onEnd(rawTrailers: string[]): void;
}

type Phase = "head" | "sized" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "until-close" | "done";

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3}) [^\r\n]*$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*$/;
const EMPTY = Buffer.alloc(0);

export class ResponseReader {
  readonly #events: ResponseEvents;
  readonly #method: string;
  #phase: Phase = "head";
  #buffer: Buffer = EMPTY;
  #remaining = 0;
  #trailers: string[] = [];

  /** @param method the request's method: a response to HEAD has no content, and a 2xx to CONNECT ends HTTP */
  constructor(method: string, events: ResponseEvents) {
    this.#method = method;
    this.#events = events;
  }

  get done(): boolean {
    return this.#phase === "done";
  }

  /** Parses the next bytes. Returns those after the end of the response. Throws on invalid framing. */
  read(bytes: Buffer): Buffer {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length > 0 && this.#step());
    return this.done ? this.#consume(this.#buffer.length) : EMPTY;
  }

  /** Call when the connection has ended. Throws if the response is incomplete. */
  end(): void {
    if (this.#phase === "until-close") this.#finish([]);
    else if (this.#phase !== "done") throw new Error("the response ended early");
  }

  #consume(size: number): Buffer {
    const bytes = this.#buffer.subarray(0, size);
    this.#buffer = this.#buffer.subarray(size);
    return bytes;
  }

  #line(): string | undefined {
    const end = this.#buffer.indexOf("\r\n");
    if (end === -1) return undefined;
    const line = this.#consume(end).toString("latin1");
    this.#consume(2);
    return line;
  }

  /** Advances by one element; false if that needs more bytes. */
  #step(): boolean {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "sized":
      case "chunk":
        return this.#readContent();
      case "until-close":
        this.#events.onContent(this.#consume(this.#buffer.length));
        return true;
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk-end":
        if (this.#buffer.length < 2) return false;
        if (this.#consume(2).toString("latin1") !== "\r\n") throw new Error("a chunk does not end with CRLF");
        this.#phase = "chunk-size";
        return true;
      case "trailers":
        return this.#readTrailer();
      case "done":
        return false;
    }
  }

  #readHead(): boolean {
    const end = this.#buffer.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const [first = "", ...lines] = this.#consume(end).toString("latin1").split("\r\n");
    this.#consume(4);
    const status = Number(STATUS_LINE.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`invalid status line ${JSON.stringify(first)}`);
    const rawHeaders = lines.flatMap(parseField);
    if (status < 200 && status !== 101) {
      this.#events.onInformational(status, rawHeaders);
      return true;
    }
    this.#phase = this.#framing(status, rawHeaders);
    this.#events.onHead(status, rawHeaders);
    if (this.done || (this.#phase === "sized" && this.#remaining === 0)) this.#finish([]);
    return true;
  }

  #framing(status: number, rawHeaders: string[]): Phase {
    const values = (name: string): string[] =>
      rawHeaders.filter((_v, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
    const lengths = values("content-length");
    const codings = values("transfer-encoding");
    if (lengths.length + codings.length > 1) throw new Error("the response is framed in more than one way");
    if (status === 101 || (this.#method === "CONNECT" && status < 300)) return "done";
    if (this.#method === "HEAD" || status === 204 || status === 304) return "done";
    if (codings.length === 1) {
      if (codings[0]?.toLowerCase() !== "chunked")
        throw new Error(`unsupported transfer coding ${codings[0]}`);
      return "chunk-size";
    }
    if (lengths.length === 0) return "until-close";
    if (!/^\d+$/.test(lengths[0] as string)) throw new Error(`invalid Content-Length ${lengths[0]}`);
    this.#remaining = Number(lengths[0]);
    return "sized";
  }

  #readContent(): boolean {
    const chunk = this.#consume(Math.min(this.#remaining, this.#buffer.length));
    this.#remaining -= chunk.length;
    this.#events.onContent(chunk);
    if (this.#remaining > 0) return true;
    if (this.#phase === "sized") this.#finish([]);
    else this.#phase = "chunk-end";
    return true;
  }

  #readChunkSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    if (!/^[0-9a-f]{1,12}$/i.test(line)) throw new Error(`invalid chunk size ${JSON.stringify(line)}`);
    this.#remaining = Number.parseInt(line, 16);
    this.#phase = this.#remaining === 0 ? "trailers" : "chunk";
    return true;
  }

  #readTrailer(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    if (line === "") this.#finish(this.#trailers);
    else this.#trailers.push(...parseField(line));
    return true;
  }

  #finish(rawTrailers: string[]): void {
    this.#phase = "done";
    this.#events.onEnd(rawTrailers);
  }
}

function parseField(line: string): string[] {
  const field = FIELD_LINE.exec(line);
  if (field === null) throw new Error(`invalid field line ${JSON.stringify(line)}`);
  return [field[1] as string, field[2] as string];
}
