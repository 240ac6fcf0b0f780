/** Builds a fetch `Response` from the response of a gateway app. */
import type { Duplex } from "node:stream";
import { ClientGone } from "../errors.ts";
import type { Transport } from "../exchange/transport.ts";
import { forbidsContent } from "../gateway/statuses.ts";
import { sentFields } from "./framing.ts";

/** Bytes buffered for a slow reader. */
const HIGH_WATER_MARK_BYTES = 65536;

const encoder = new TextEncoder();

export interface FetchTransportEvents {
  onResponse(response: Response): void;
  /** The reader has cancelled the body. */
  onCancel(): void;
  /** The response was broken off. */
  onBroken(error: Error): void;
}

/** Creates the `Response` as soon as the head is known. It cannot carry informational responses and trailers. */
export class FetchTransport implements Transport {
  readonly headOnly: boolean;
  readonly upgradable = false;
  readonly #events: FetchTransportEvents;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;
  #cancelled = false;

  constructor(method: string, events: FetchTransportEvents) {
    this.headOnly = method === "HEAD";
    this.#events = events;
  }

  informational(): void {}

  upgrade(): Duplex {
    throw new TypeError("a fetch handler has no connection that an app could take over");
  }

  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    length: number | undefined,
  ): void {
    const bare = forbidsContent(status) || content.length === 0;
    this.#respond(status, fields, bare ? null : content, length);
  }

  sendHead(status: number, fields: string[], length: number | undefined): void {
    if (this.headOnly || forbidsContent(status)) {
      this.#respond(status, fields, null, length);
      return;
    }
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#waiting?.resolve();
          this.#waiting = undefined;
        },
        cancel: () => {
          this.#cancelled = true;
          this.#events.onCancel();
          this.#waiting?.reject(new ClientGone());
        },
      },
      { highWaterMark: HIGH_WATER_MARK_BYTES, size: (chunk) => chunk.byteLength },
    );
    this.#respond(status, fields, stream, length);
  }

  #respond(
    status: number,
    fields: string[],
    content: ConstructorParameters<typeof Response>[0],
    length: number | undefined,
  ): void {
    const headers = new Headers();
    const sent = sentFields(fields);
    for (let index = 0; index < sent.length; index += 2) {
      headers.append(sent[index] as string, sent[index + 1] as string);
    }
    if (length !== undefined) headers.set("content-length", String(length));
    this.#events.onResponse(new Response(content, { status, headers }));
  }

  write(chunk: string | Uint8Array): boolean {
    const controller = this.#controller;
    if (controller === undefined) return true;
    if (this.#cancelled) return false;
    // Copy bytes, because the app may reuse its buffer before the reader gets this piece.
    controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : new Uint8Array(chunk));
    return (controller.desiredSize ?? 0) > 0;
  }

  whenWritable(): Promise<void> {
    if (this.#cancelled) return Promise.reject(new ClientGone());
    if ((this.#controller?.desiredSize ?? 1) > 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const earlier = this.#waiting;
      this.#waiting = {
        resolve: () => {
          earlier?.resolve();
          resolve();
        },
        reject: (error) => {
          earlier?.reject(error);
          reject(error);
        },
      };
    });
  }

  end(): void {
    if (!this.#cancelled) this.#controller?.close();
  }

  destroy(error: Error): void {
    if (!this.#cancelled) this.#controller?.error(error);
    this.#waiting?.reject(error);
    this.#events.onBroken(error);
  }
}
