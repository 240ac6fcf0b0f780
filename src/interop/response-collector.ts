/** The receiving client of an in-memory exchange: it collects the response. */
import type { Duplex } from "node:stream";
import type { Transport } from "../exchange/transport.ts";
import { forbidsContent } from "../gateway/statuses.ts";
import { duplexPair } from "./duplex-pair.ts";
import { fieldValue, sentFields } from "./framing.ts";

export interface CollectorEvents {
  /** The response is complete, or the app has taken over the connection. */
  onEnd(): void;
  /** The server destroyed the connection. */
  onBroken(error: Error): void;
}

/** Collects a response as a client sees it, framing fields included. */
export class ResponseCollector implements Transport {
  readonly headOnly: boolean;
  readonly upgradable: boolean;
  status = 0;
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  upgraded: Duplex | undefined;
  readonly informationals: { status: number; rawHeaders: string[] }[] = [];
  readonly #chunks: Buffer[] = [];
  readonly #isHttp10: boolean;
  readonly #events: CollectorEvents;
  #chunked = false;

  constructor(
    request: { method: string; httpVersion: "1.0" | "1.1"; upgrade: boolean },
    events: CollectorEvents,
  ) {
    this.headOnly = request.method === "HEAD";
    this.upgradable = request.upgrade;
    this.#isHttp10 = request.httpVersion === "1.0";
    this.#events = events;
  }

  get content(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  informational(status: number, fields: string[]): void {
    if (!this.#isHttp10) this.informationals.push({ status, rawHeaders: fields });
  }

  upgrade(fields: string[] | undefined): Duplex {
    const [client, server] = duplexPair();
    // Without fields the app writes the handshake itself; the client reads it from the stream.
    this.status = fields === undefined ? 0 : 101;
    this.rawHeaders = fields ?? [];
    this.upgraded = client;
    this.#events.onEnd();
    return server;
  }

  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    length: number | undefined,
  ): void {
    this.#head(status, fields, length);
    if (content.length > 0) this.write(content);
    this.#events.onEnd();
  }

  sendHead(status: number, fields: string[], length: number | undefined): void {
    const framed = length !== undefined || this.headOnly || this.#isHttp10;
    this.#chunked = !framed && !forbidsContent(status);
    this.#head(status, fields, length);
  }

  #head(status: number, fields: string[], length: number | undefined): void {
    this.status = status;
    this.rawHeaders = sentFields(fields);
    if (fieldValue(fields, "date") === undefined) this.rawHeaders.push("Date", new Date().toUTCString());
    if (this.#chunked) this.rawHeaders.push("Transfer-Encoding", "chunked");
    else if (length !== undefined) this.rawHeaders.push("Content-Length", String(length));
  }

  write(chunk: string | Uint8Array): boolean {
    // Copy, because the app may reuse its buffer.
    this.#chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk));
    return true;
  }

  async whenWritable(): Promise<void> {}

  end(trailers: string[]): void {
    if (this.#chunked) this.rawTrailers = trailers;
    this.#events.onEnd();
  }

  destroy(error: Error): void {
    this.#events.onBroken(error);
  }
}
