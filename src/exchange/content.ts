/** Converts every kind of response content to an iterator of pieces. */
import { promises as files } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { GatewayError, HttpError } from "../errors.ts";
import { isBlob } from "../gateway/blob.ts";
import { clause } from "../gateway/clauses.ts";
import type { FileBody, ResponseBody } from "../gateway/types.ts";

/** Bytes read from a file at a time. */
const FILE_CHUNK_BYTES = 65536;

export function isFileBody(body: object): body is FileBody {
  return "file" in body && !(Symbol.asyncIterator in body) && !(Symbol.iterator in body);
}

/** Whether `chunk` is valid as a piece of content. */
export function isPiece(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === "string" || chunk instanceof Uint8Array;
}

export function pieceError(chunk: unknown): GatewayError {
  return new GatewayError(
    clause.content,
    `a piece of content must be a string or bytes, not ${typeof chunk}`,
  );
}

/** Content to send piece by piece. */
export interface ContentSource {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** Discards the rest and closes the source, including a stream that was never read. */
  stop(): void;
}

function iteratorSource(iterator: AsyncIterator<unknown> | Iterator<unknown>): ContentSource {
  return {
    next: () => iterator.next(),
    stop: () => {
      // Ignore errors of discarded content, synchronous or asynchronous.
      (async () => iterator.return?.())().catch(() => {});
    },
  };
}

/** Whether `body` is a Node stream, or one of a compatible package (`readable-stream`). */
function isStream(body: object): body is Readable {
  if (body instanceof Readable) return true;
  const { on, destroy } = body as Partial<Readable>;
  return Symbol.asyncIterator in body && typeof on === "function" && typeof destroy === "function";
}

/**
 * Creates a source for any streaming content.
 *
 * @throws GatewayError if `body` is not valid content
 */
export function contentSource(body: object): ContentSource {
  if (isBlob(body)) return contentSource(body.stream());
  if (body instanceof ReadableStream) {
    const reader = body.getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<unknown>>,
      stop: () => {
        reader.cancel().catch(() => {});
      },
    };
  }
  if (isStream(body)) {
    const source = iteratorSource(body[Symbol.asyncIterator]());
    // A stream that fails before or after it is read has no other listener, and an unhandled error ends the process.
    body.on("error", () => {});
    // A stream's iterator closes the stream only after its first `next`, so destroy the stream.
    return { next: source.next, stop: () => body.destroy() };
  }
  if (Symbol.asyncIterator in body)
    return iteratorSource((body as AsyncIterable<unknown>)[Symbol.asyncIterator]());
  if (Symbol.iterator in body) return iteratorSource((body as Iterable<unknown>)[Symbol.iterator]());
  throw new GatewayError(clause.content, refusalOf(body));
}

/** Names the way for what is nearly content. */
function refusalOf(body: object): string {
  const kind = Object.prototype.toString.call(body).slice(8, -1);
  if (kind === "Response")
    return "a Response is not content: give response.body, and its status and headers, or use fromFetch";
  if (kind === "URL") return "a URL is not content: give { file: url } for a file, or its text";
  if (kind === "Promise") return "a promise is not content: await it first";
  if (kind === "ArrayBuffer") return "an ArrayBuffer is not content: give new Uint8Array(buffer)";
  return "content is text, bytes, null, a file, a Blob, a stream or an iterable";
}

/** Closes content that is not sent. Invalid content is not reported. */
export function discardContent(body: ResponseBody): void {
  if (typeof body !== "object" || body === null || body instanceof Uint8Array || isFileBody(body)) return;
  if (isBlob(body)) return;
  try {
    contentSource(body).stop();
  } catch {}
}

export interface OpenFile {
  /** Number of bytes to send. */
  readonly length: number;
  readonly source: ContentSource;
  close(): Promise<void>;
}

/**
 * Opens the part of a file that `body` describes.
 *
 * @throws GatewayError if it is not a regular file or does not have the requested bytes; any error of `open`
 */
export async function openFile(body: FileBody): Promise<OpenFile> {
  const { file } = body;
  const owned = typeof file === "string" || file instanceof URL;
  const handle = owned ? await files.open(file) : file;
  const close = async (): Promise<void> => {
    if (owned) await handle.close();
  };
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new GatewayError(clause.content, `${String(body.file)} is not a regular file`);
    const offset = body.offset ?? 0;
    const length = body.length ?? stats.size - offset;
    const areIntegers = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
    if (!areIntegers || offset < 0 || length < 0 || offset + length > stats.size) {
      throw new GatewayError(
        clause.content,
        `the file has ${stats.size} bytes, too few for ${length} at offset ${offset}`,
      );
    }
    return { length, source: iteratorSource(readChunks(handle, offset, length)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function* readChunks(
  handle: FileHandle,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array, void> {
  let position = offset;
  const end = offset + length;
  while (position < end) {
    const size = Math.min(FILE_CHUNK_BYTES, end - position);
    // Allocate a new buffer each time: the socket may still hold the last one.
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, position);
    if (bytesRead === 0) throw new HttpError(500, "the file was truncated while it was sent");
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
