/** Content, as an app gives it (docs/gateway.md, 6.4). */
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import type { FileBody, ResponseBody } from "tsgun/gateway";
import { misuse } from "./errors.ts";

/** Content that is at hand at once. */
export type Body = string | Uint8Array | null;

/** Pieces that are sent in turn: an iterator, and how to let go of it. */
export interface Source {
  readonly next: () => Promise<IteratorResult<unknown>>;
  readonly release: () => void;
  /** Undefined where nobody knows it before the end. */
  readonly length?: number | undefined;
}

/** The kinds of 6.4.1 that are not at hand at once. */
export function sourceOf(body: Exclude<ResponseBody, Body>): Source | FileBody {
  if (body instanceof Blob)
    return { ...sourceOf(body.stream() as ReadableStream), length: body.size } as Source;
  const given = body as Partial<AsyncIterable<unknown> & Iterable<unknown> & FileBody> | undefined;
  if (typeof given !== "object" || given === null) throw misuse(`not a body: ${inspect(body)}`);
  if (given[Symbol.asyncIterator] !== undefined || given[Symbol.iterator] !== undefined) {
    let iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined;
    const begin = (): AsyncIterator<unknown> | Iterator<unknown> =>
      (iterator ??= given[Symbol.asyncIterator]?.() ?? (given as Iterable<unknown>)[Symbol.iterator]());
    const release = async (): Promise<void> => {
      if (body instanceof Readable) body.on("error", () => {}).destroy();
      else if (body instanceof ReadableStream && iterator === undefined) await body.cancel();
      else await begin().return?.();
    };
    return { next: async () => begin().next(), release: () => void release().catch(() => {}) };
  }
  const { file, offset = 0, length = 0 } = given;
  const named = typeof file === "string" || file instanceof URL || typeof file?.fd === "number";
  if (!named) throw misuse(`not a body: ${inspect(body)}; give a string, bytes, a stream, or { file }`);
  if (![offset, length].every((each) => Number.isSafeInteger(each) && each >= 0))
    throw misuse("offset and length of a file are whole numbers from 0 on");
  return given as FileBody;
}

/** 6.4.5 */
export async function openFile({ file, offset = 0, length }: FileBody): Promise<Source> {
  const named = typeof file === "string" || file instanceof URL;
  const handle: FileHandle = named ? await open(file) : file;
  const release = (): void => void (named && handle.close().catch(() => {}));
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Error(`${String(file)} is no file`);
    const end = length === undefined ? stat.size : offset + length;
    if (end > stat.size || offset > end) throw new Error(`the file has ${stat.size} bytes, not ${end}`);
    let position = offset;
    const next = async (): Promise<IteratorResult<unknown>> => {
      if (position === end) return { done: true, value: undefined };
      const buffer = new Uint8Array(Math.min(65_536, end - position));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new Error("the file has become shorter");
      position += bytesRead;
      return { done: false, value: buffer.subarray(0, bytesRead) };
    };
    return { next, release, length: end - offset };
  } catch (error) {
    release();
    throw error;
  }
}

export function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw misuse(`a piece is a string or a Uint8Array, not ${inspect(piece, { depth: 0 })}`);
}
