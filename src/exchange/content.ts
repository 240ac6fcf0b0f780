/** The kinds of content a response may have, each made an iterator of pieces. */
import { promises as files } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { GatewayError, HttpError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import type { FileBody } from "../gateway/types.ts";

/** Bytes read from a file at a time. */
const FILE_CHUNK = 65536;

export function isFileBody(body: object): body is FileBody {
  return "file" in body && !(Symbol.asyncIterator in body) && !(Symbol.iterator in body);
}

/** What content comes in. */
export function isPiece(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === "string" || chunk instanceof Uint8Array;
}

export function noPiece(chunk: unknown): GatewayError {
  return new GatewayError(clause.content, `content comes in strings or bytes, not ${typeof chunk}`);
}

/** Content that comes in pieces. */
export interface ContentSource {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** Nobody wants the rest: closes what is open. A stream that was never read is closed as well. */
  stop(): void;
}

function iteratorSource(iterator: AsyncIterator<unknown> | Iterator<unknown>): ContentSource {
  return {
    next: () => iterator.next(),
    stop: () => {
      // What fails while it is thrown away concerns nobody, at once or later.
      (async () => iterator.return?.())().catch(() => {});
    },
  };
}

/** A stream of node's, or one of a package that is made like them (`readable-stream`). */
function isStream(body: object): body is Readable {
  if (body instanceof Readable) return true;
  const { on, destroy } = body as Partial<Readable>;
  return Symbol.asyncIterator in body && typeof on === "function" && typeof destroy === "function";
}

/**
 * Makes a source of any streaming content.
 *
 * @throws GatewayError for what is no content
 */
export function contentSource(body: object): ContentSource {
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
    // One that is closed before it was read, or fails when it has been, has no other listener: that ends a process.
    body.on("error", () => {});
    // The iterator of a stream closes it only once it has been started.
    return { next: source.next, stop: () => body.destroy() };
  }
  if (Symbol.asyncIterator in body)
    return iteratorSource((body as AsyncIterable<unknown>)[Symbol.asyncIterator]());
  if (Symbol.iterator in body) return iteratorSource((body as Iterable<unknown>)[Symbol.iterator]());
  throw new GatewayError(
    clause.content,
    "the content is neither text, bytes, null, a file, a stream nor iterable",
  );
}

export interface OpenFile {
  /** Bytes that will be sent. */
  readonly length: number;
  readonly source: ContentSource;
  close(): Promise<void>;
}

/**
 * Opens the file part that `body` names.
 *
 * @throws GatewayError when it is no regular file or has not the bytes asked for; what `open` throws.
 */
export async function openFile(body: FileBody): Promise<OpenFile> {
  const owned = typeof body.file === "string";
  const handle: FileHandle = typeof body.file === "string" ? await files.open(body.file) : body.file;
  const close = async (): Promise<void> => {
    if (owned) await handle.close();
  };
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new GatewayError(clause.content, `${String(body.file)} is not a regular file`);
    const offset = body.offset ?? 0;
    const length = body.length ?? stats.size - offset;
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
    if (!whole || offset < 0 || length < 0 || offset + length > stats.size) {
      throw new GatewayError(
        clause.content,
        `the file has ${stats.size} bytes, not ${offset} and ${length} more`,
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
    const size = Math.min(FILE_CHUNK, end - position);
    // A new buffer each time: the one before may still be waiting in the socket.
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, position);
    if (bytesRead === 0) throw new HttpError(500, "the file became shorter while it was sent");
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
