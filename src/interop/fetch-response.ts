/** Sends a fetch `Response` as a gateway response. */
import { FetchAppError } from "../errors.ts";
import { respondText } from "../exchange/respond.ts";
import { fieldPairs } from "../gateway/fields.ts";
import type { HeadersInput, Respond } from "../gateway/types.ts";
import { fieldValue, hasServerFields, SERVER_FIELDS, sendableFields } from "./framing.ts";
import { consumeText, knownLength } from "./text-response.ts";
import { fetchedFields } from "./upstream-response.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Read = Awaited<ReturnType<Reader["read"]>>;

/** The value of a promise, or undefined if it does not settle within one turn of the event loop. */
function withinOneTurn<T>(promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const turn = setImmediate(resolve, undefined);
    promise.then(
      (value) => {
        clearImmediate(turn);
        resolve(value);
      },
      (error: unknown) => {
        clearImmediate(turn);
        reject(error);
      },
    );
  });
}

/**
 * Sends a fetch app's response. Text is sent synchronously, other content that is available at once is sent whole with
 * its length, and the rest is streamed.
 *
 * @throws FetchAppError if `response` is not a `Response`, or its body has been used
 */
export function sendResponse(response: Response, method: string, respond: Respond): void | Promise<void> {
  const parts = typeof response === "object" && response !== null ? consumeText(response) : undefined;
  if (parts !== undefined) {
    const { status, fields, text } = parts;
    const { lines, list } = fields;
    if (text !== null && lines !== undefined && respondText(respond, status, lines, text)) return;
    if (method === "HEAD" && text === null) return sendHead(status, list, knownLength(response), respond);
    respond(status, plainRecord(list) ?? fieldPairs(sendableFields(list)), text);
    return;
  }
  if (typeof response?.status !== "number" || typeof response.headers?.get !== "function") {
    throw new FetchAppError(`the fetch app returned ${String(response)}, which is not a Response`);
  }
  return sendContent(response, method, respond);
}

/** The fields as an object, which servers send on a shorter path; undefined if they need more than that. */
function plainRecord(fields: readonly string[]): { [name: string]: string } | undefined {
  const record: { [name: string]: string } = {};
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    // Repeated names are set-cookie's; the object's own __proto__ would not become a field.
    if (NO_RECORD.has(name)) return undefined;
    record[name] = fields[index + 1] as string;
  }
  return record;
}

const NO_RECORD = new Set([...SERVER_FIELDS, "connection", "set-cookie", "__proto__"]);

async function sendContent(response: Response, method: string, respond: Respond): Promise<void> {
  const { status, body } = response;
  if (response.bodyUsed || body?.locked === true) {
    throw new FetchAppError(
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
  const headers = fetched === undefined ? responseHeaders(response) : fieldPairs(sendableFields(fetched));
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
  const headers = fieldPairs(sendableFields(fields));
  if (length !== undefined && fieldValue(fields, "content-length") === undefined) {
    headers.push(["content-length", String(length)]);
  }
  const writer = respond(status, headers);
  await writer.flush();
  await writer.end();
}

/** Drops Transfer-Encoding and Connection, which streaming fetch apps often set though they are the server's (gateway 6.3.4). */
function responseHeaders({ headers }: Response): HeadersInput {
  return hasServerFields(headers) ? fieldPairs(sendableFields([...headers].flat())) : headers;
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
