/** The two directions of a fetch `Response`: sent as a gateway answer, and made of one. */
import type { Duplex } from "node:stream";
import { ClientGone } from "../errors.ts";
import type { Carrier } from "../exchange/carrier.ts";
import type { HeadersInput, Respond } from "../gateway/types.ts";
import { fetchedFields } from "./fetched-response.ts";
import { fieldValue, hasServerFields, sendableFields, sentFields } from "./framing.ts";
import { knownLength, takeText } from "./text-response.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Read = Awaited<ReturnType<Reader["read"]>>;

/** The value of a promise, or undefined when it is not there within a turn of the event loop. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let immediate: NodeJS.Immediate | undefined;
  const turn = new Promise<undefined>((resolve) => {
    immediate = setImmediate(resolve, undefined);
  });
  const value = await Promise.race([promise, turn]);
  clearImmediate(immediate);
  return value;
}

/**
 * Sends a fetch app's answer. Text goes out at once; other content that is there at once goes out whole with its
 * length; anything else as it comes.
 *
 * @throws TypeError for what is no `Response`, and for one whose content has been used
 */
export function sendResponse(response: Response, method: string, respond: Respond): void | Promise<void> {
  const answer = typeof response === "object" && response !== null ? takeText(response) : undefined;
  if (answer !== undefined) {
    const { status, fields, text } = answer;
    if (method === "HEAD" && text === null) return sendHead(status, fields, knownLength(response), respond);
    respond(status, fieldPairs(fields), text);
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
  const headers = fetched === undefined ? responseHeaders(response) : fieldPairs(fetched);
  if (body === null) {
    respond(status, headers, null);
    return;
  }
  const reader = body.getReader();
  const first = reader.read();
  const start = await soon(first);
  if (start?.done === true) respond(status, headers, null);
  else if (start === undefined) respond(status, headers, pieces([first], reader));
  else {
    const second = reader.read();
    const end = await soon(second);
    if (end?.done === true) respond(status, headers, start.value);
    else respond(status, headers, pieces([first, second], reader));
  }
}

/**
 * The answer to HEAD. Where there is no content, that is most likely because of HEAD: GET may have some.
 *
 * @param length that of the content that GET would have; undefined where it is not known
 */
async function sendHead(
  status: number,
  fields: readonly string[],
  length: number | undefined,
  respond: Respond,
): Promise<void> {
  const headers = fieldPairs(fields);
  if (length !== undefined && fieldValue(fields, "content-length") === undefined) {
    headers.push(["content-length", String(length)]);
  }
  const writer = respond(status, headers);
  await writer.flush();
  await writer.end();
}

/** Fetch apps that stream like to set Transfer-Encoding and Connection, which are not theirs (gateway 6.3.4). */
function responseHeaders({ headers }: Response): HeadersInput {
  return hasServerFields(headers) ? fieldPairs([...headers].flat()) : headers;
}

function fieldPairs(fields: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  const sendable = sendableFields(fields);
  for (let at = 0; at < sendable.length; at += 2) {
    pairs.push([sendable[at] as string, sendable[at + 1] as string]);
  }
  return pairs;
}

/** The pieces read ahead, then the rest. */
function pieces(ahead: Promise<Read>[], reader: Reader): AsyncIterable<Uint8Array> {
  // Whoever never asks for these does not care how they fail.
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

/** Statuses that a `Response` cannot have content with. */
const BODILESS = new Set([204, 205, 304]);
/** Bytes that a stream holds for a slow reader. */
const HIGH_WATER = 65536;

const encoder = new TextEncoder();

export interface ResponseEvents {
  onResponse(response: Response): void;
  /** Nobody reads the answer any more. */
  onCancel(): void;
  /** There will be no answer. */
  onBroken(error: Error): void;
}

/** Makes a `Response` of an answer. What has no place in one is left out: informational answers and trailers. */
export class ResponseMaker implements Carrier {
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
    const bare = BODILESS.has(status) || content.length === 0;
    this.#respond(status, fields, bare ? null : content, length);
  }

  begin(status: number, fields: string[], length: number | undefined): void {
    if (this.headOnly || BODILESS.has(status)) {
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
      { highWaterMark: HIGH_WATER, size: (chunk) => chunk.byteLength },
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
    // A copy of bytes: the app may use its buffer again before the reader has looked at this piece.
    controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : new Uint8Array(chunk));
    return (controller.desiredSize ?? 0) > 0;
  }

  room(): Promise<void> {
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
