/** The pieces of any content that an app may give. */
import { isBlob } from "./blob.ts";
import type { FileBody, ResponseBody } from "./types.ts";

/**
 * Reads content of any kind piece by piece. A file is opened with the first piece, and closed unless the app opened it.
 *
 * @throws a system error for a file that cannot be read
 */
export async function* piecesOf(content: ResponseBody): AsyncGenerator<string | Uint8Array, void> {
  if (content === null) return;
  if (typeof content === "string" || content instanceof Uint8Array) yield content;
  else if (isFile(content)) yield* fileOf(content);
  else if (isBlob(content)) yield* content.stream();
  else yield* content as AsyncIterable<string | Uint8Array>;
}

function isFile(content: object): content is FileBody {
  return "file" in content && !(Symbol.asyncIterator in content) && !(Symbol.iterator in content);
}

async function* fileOf({ file, offset = 0, length }: FileBody): AsyncGenerator<Uint8Array, void> {
  if (length === 0) return;
  const { createReadStream } = await import("node:fs");
  const range = { start: offset, ...(length !== undefined && { end: offset + length - 1 }) };
  const isPath = typeof file === "string" || file instanceof URL;
  const stream = isPath
    ? createReadStream(file, range)
    : createReadStream("", { ...range, fd: file, autoClose: false });
  yield* stream as AsyncIterable<Uint8Array>;
}
