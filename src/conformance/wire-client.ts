/** A client on a real connection: sends exact bytes, reads responses strictly, waits with deadlines. */
import { Socket } from "node:net";
import { type Duplex, PassThrough } from "node:stream";
import { ResponseReader } from "../interop/response-reader.ts";
import { Arrivals } from "./arrivals.ts";
import { framedFields, type SuiteRequest, type SuiteResponse, suiteResponse } from "./exchange.ts";

const DEADLINE_MS = 5000;

/** The bytes of a request. */
export function requestBytes(request: SuiteRequest): Buffer {
  const { method = "GET", target = "/", httpVersion = "1.1", content, trailers = [] } = request;
  const lines = (raw: readonly string[]): string =>
    raw.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
  const head = `${method} ${target} HTTP/${httpVersion}\r\n${lines(framedFields(request))}\r\n`;
  const parts: Uint8Array[] = [Buffer.from(head, "latin1")];
  if (typeof content === "string") parts.push(Buffer.from(content));
  else if (content instanceof Uint8Array) parts.push(content);
  else if (content !== undefined) {
    for (const piece of content) {
      parts.push(Buffer.from(`${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`));
    }
    parts.push(Buffer.from(`0\r\n${lines(trailers)}\r\n`, "latin1"));
  }
  return Buffer.concat(parts);
}

export class WireClient {
  readonly socket: Duplex;
  /** True once the server has ended or reset its side. */
  ended = false;
  /** Every byte received, for error messages and waiting. */
  received = "";
  #unread: Buffer = Buffer.alloc(0);
  readonly #arrivals = new Arrivals();

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      this.#unread = Buffer.concat([this.#unread, bytes]);
      this.#arrivals.notify();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.ended = true;
        this.#arrivals.notify();
      });
    }
  }

  send(bytes: string | Uint8Array): void {
    if (typeof bytes === "string") this.socket.write(bytes, "latin1");
    else this.socket.write(bytes);
  }

  /** Waits until `holds` is true; on a timeout fails with the received bytes. */
  async until(holds: () => boolean, what: string): Promise<void> {
    if (!(await this.#arrivals.until(holds, DEADLINE_MS)))
      throw new Error(`timed out waiting for ${what}; received ${JSON.stringify(this.received)}`);
  }

  /** Reads the next response; `complete` is false if the connection ends within it. */
  async response(method = "GET"): Promise<SuiteResponse> {
    let status = 0;
    let rawHeaders: string[] = [];
    let rawTrailers: string[] = [];
    const content: Buffer[] = [];
    const informational: { status: number; rawHeaders: string[] }[] = [];
    const reader = new ResponseReader(method, {
      onInformational: (code, fields) => informational.push({ status: code, rawHeaders: fields }),
      onHead: (code, fields) => {
        status = code;
        rawHeaders = fields;
      },
      onContent: (chunk) => content.push(chunk),
      onEnd: (fields) => {
        rawTrailers = fields;
      },
    });
    let complete = true;
    while (!reader.done) {
      await this.until(() => this.#unread.length > 0 || this.ended, `the response to ${method}`);
      const bytes = this.#unread;
      this.#unread = Buffer.alloc(0);
      if (bytes.length > 0) this.#unread = Buffer.from(reader.read(bytes));
      else {
        // A reset is not a valid end of the content.
        complete = !this.socket.errored && endsComplete(reader);
        break;
      }
    }
    const upgraded = status === 101 ? this.socket : undefined;
    const parts = { status, rawHeaders, rawTrailers, informational, complete, upgraded };
    return suiteResponse({ ...parts, content: Buffer.concat(content) });
  }

  /** Fails if there is more than the last response: a client would take it for the next one. */
  async requireNoMore(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (this.#unread.length > 0)
      throw new Error(`bytes follow the response: ${JSON.stringify(this.#unread.toString("latin1"))}`);
  }

  /** The bytes after the last response, as text; waits for `length` bytes. */
  async rest(length: number): Promise<string> {
    await this.until(() => this.#unread.length >= length, `${length} bytes more`);
    return this.#unread.toString("latin1");
  }

  /** Hands over the stream, with the bytes after the last response. */
  release(): Duplex {
    this.socket.removeAllListeners("data");
    this.socket.pause();
    if (this.socket.readableEnded) {
      const rest = new PassThrough();
      rest.end(this.#unread);
      return rest;
    }
    if (this.#unread.length > 0) this.socket.unshift(this.#unread);
    return this.socket;
  }

  /** Resets the connection, which the server cannot mistake for the end of the sending side. */
  reset(): void {
    const { socket } = this;
    if (socket instanceof Socket) socket.resetAndDestroy();
    else socket.destroy();
  }

  close(): void {
    this.socket.destroy();
  }
}

function endsComplete(reader: ResponseReader): boolean {
  try {
    reader.end();
    return true;
  } catch {
    return false;
  }
}

/** Sends one request on a new connection. */
export async function exchangeOver(
  connect: () => Promise<Duplex>,
  request: SuiteRequest,
): Promise<SuiteResponse> {
  const client = new WireClient(await connect());
  client.send(requestBytes(request));
  const answer = await client.response(request.method);
  if (answer.upgraded !== undefined) return { ...answer, upgraded: client.release() };
  await client.requireNoMore();
  client.close();
  return answer;
}
