/** Sends a fetch `Response` as a gateway response, and builds one from a gateway response. */
import type { Duplex } from "node:stream";
import { ClientGone } from "../errors.ts";
import type { Transport } from "../exchange/transport.ts";
import { forbidsContent } from "../gateway/statuses.ts";
import type { HeadersInput, Respond } from "../gateway/types.ts";
import { fieldValue, hasServerFields, sendableFields, sentFields } from "./framing.ts";
import { consumeText, knownLength } from "./text-response.ts";
import { fetchedFields } from "./upstream-response.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Read = Awaited<ReturnType<Reader["read"]>>;

/** The value of a promise, or undefined if it does not settle within one turn of the event loop. */
async function withinOneTurn<T>(promise: Promise<T>): Promise<T | undefined> {
  let immediate: NodeJS.Immediate | undefined;
  const turn = new Promise<undefined>((resolve) => {
    immediate = setImmediate(resolve, undefined);
  });
  const value = await Promise.race([promise, turn]);
  clearImmediate(immediate);
  return value;
}

/**
 * Sends a fetch app's response. Text is sent synchronously, other content that is available at once is sent whole with
 * its length, and the rest is streamed.
 *
 * @throws TypeError if `response` is not a `Response`, or its body has been used
 */
export function sendResponse(response: Response, method: string, respond: Respond): void | Promise<void> {
  const parts = typeof response === "object" && response !== null ? consumeText(response) : undefined;
  if (parts !== undefined) {
    const { status, fields, text } = parts;
    if (method === "HEAD" && text === null) return sendHead(status, fields, knownLength(response), respond);
    respond(status, sendablePairs(fields), text);
    return;
  }
  if (typeof response?.status !== "number" || typeof response.headers?.get !== "function") {
    throw new TypeError(`the fetch app returned ${String(response)}, which is no Response`);
  }
  return sendContent(response, method, respond);
}

async function sendContent(response: Response, method: string, respond: Respond): Promise<void> {
  const { status, body } = response;
  if (response.bodyUsed || body?.locked === true) {
    throw new TypeError(
      "Body is unusable: the fetch app returned a Response whose body has been read or sent before; return a new one, or a clone(), for each request",
    );
  }
  const fetched = fetchedFields(response);
  if (method === "HEAD") {
    const length = fetched === undefined ? knownLength(response) : undefined;
    await Promise.all([
      sendHead(status, fetched ?? [...response.headers].flat(), length, respond),
      body?.cancel(),
    ]);
    return;
  }
  const headers = fetched === undefined ? responseHeaders(response) : sendablePairs(fetched);
  if (body === null) {
    respond(status, headers, null);
    return;
  }
  const reader = body.getReader();
  const first = reader.read();
  const start = await withinOneTurn(first);
  if (start?.done === true) respond(status, headers, null);
  else if (start === undefined) respond(status, headers, pieces([first], reader));
  else {
    const second = reader.read();
    const end = await withinOneTurn(second);
    if (end?.done === true) respond(status, headers, start.value);
    else respond(status, headers, pieces([first, second], reader));
  }
}

/**
 * Sends the response to HEAD. An empty body says nothing about GET, which may well have content.
 *
 * @param length bytes of content that GET would have; undefined if unknown
 */
async function sendHead(
  status: number,
  fields: readonly string[],
  length: number | undefined,
  respond: Respond,
): Promise<void> {
  const headers = sendablePairs(fields);
  if (length !== undefined && fieldValue(fields, "content-length") === undefined) {
    headers.push(["content-length", String(length)]);
  }
  const writer = respond(status, headers);
  await writer.flush();
  await writer.end();
}

/** Drops Transfer-Encoding and Connection, which streaming fetch apps often set though they are the server's (gateway 6.3.4). */
function responseHeaders({ headers }: Response): HeadersInput {
  return hasServerFields(headers) ? sendablePairs([...headers].flat()) : headers;
}

function sendablePairs(fields: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  const sendable = sendableFields(fields);
  for (let at = 0; at < sendable.length; at += 2) {
    pairs.push([sendable[at] as string, sendable[at + 1] as string]);
  }
  return pairs;
}

/** Iterates over the pieces read ahead, then the rest. */
function pieces(ahead: Promise<Read>[], reader: Reader): AsyncIterable<Uint8Array> {
  // A consumer that stops early never awaits these; their rejections must not be reported as unhandled.
  for (const read of ahead) read.catch(() => {});
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => (ahead.shift() ?? reader.read()) as Promise<IteratorResult<Uint8Array>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** Bytes buffered for a slow reader. */
const HIGH_WATER_MARK_BYTES = 65536;

const encoder = new TextEncoder();

export interface ResponseEvents {
  onResponse(response: Response): void;
  /** The reader has cancelled the body. */
  onCancel(): void;
  /** The response was broken off. */
  onBroken(error: Error): void;
}

/** Builds a `Response` from a gateway response, without informational responses and trailers, which it cannot carry. */
export class ResponseMaker implements Transport {
  readonly headOnly: boolean;
  readonly upgradable = false;
  readonly #events: ResponseEvents;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;
  #cancelled = false;

  constructor(method: string, events: ResponseEvents) {
    this.headOnly = method === "HEAD";
    this.#events = events;
  }

  informational(): void {}

  upgrade(): Duplex {
    throw new TypeError("a fetch handler has no connection to give away");
  }

  whole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void {
    const bare = forbidsContent(status) || content.length === 0;
    this.#respond(status, fields, bare ? null : content, length);
  }

  begin(status: number, fields: string[], length: number | undefined): void {
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
