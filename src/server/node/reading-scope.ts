/** The async scope of the events that a request body emits. */
import { AsyncResource } from "node:async_hooks";
import type { IncomingMessage } from "node:http";

/**
 * Emits the events of content in the scope of its first reader. Node emits them in the scope of the connection, which
 * does not have the stores of the request, or would keep them for the next one.
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
