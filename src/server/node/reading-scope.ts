/** The async scope in which a listener is told of the content of its request. */
import { AsyncResource } from "node:async_hooks";
import type { IncomingMessage } from "node:http";

/**
 * Node tells of content in the scope of the connection, where the stores of a request are unknown, or are kept for the
 * next one. From the first read on it is told in the scope of the reader.
 */
export function readInScope(request: IncomingMessage): void {
  const read = request._read;
  request._read = (size) => {
    request._read = read;
    const scope = new AsyncResource("TSGUN_CONTENT");
    const { push } = request;
    request.push = (chunk: unknown, encoding?: BufferEncoding) =>
      scope.runInAsyncScope(push, request, chunk, encoding);
    read.call(request, size);
  };
}
