/**
 * The async scope of the events that a request body emits. The methods that replace those of a request are the same for
 * all requests: with functions of its own, which refer back to it, what a request has made outlives the collections of
 * the young generation (Node 24), which came to 150 MB under load.
 */
import { AsyncResource } from "node:async_hooks";
import type { IncomingMessage } from "node:http";

const READING = Symbol("tsgun.reading");

type ReadMessage = IncomingMessage & { [READING]: Reading };

class Reading {
  readonly request: IncomingMessage;
  readonly read: IncomingMessage["_read"];
  push: IncomingMessage["push"];
  /** That of the first reader. */
  scope: AsyncResource | undefined;

  constructor(request: IncomingMessage) {
    this.request = request;
    this.read = request._read;
    this.push = request.push;
  }
}

/**
 * Emits the events of content in the scope of its first reader. Node emits them in the scope of the connection, which
 * does not have the stores of the request, or would keep them for the next one.
 */
export function readInScope(request: IncomingMessage): void {
  (request as ReadMessage)[READING] = new Reading(request);
  request._read = readFirst;
}

function readFirst(this: IncomingMessage, size: number): void {
  const reading = (this as ReadMessage)[READING];
  const { request, read } = reading;
  request._read = read;
  reading.scope = new AsyncResource("TSGUN_CONTENT");
  reading.push = request.push;
  request.push = pushInScope;
  read.call(request, size);
}

function pushInScope(this: IncomingMessage, chunk: unknown, encoding?: BufferEncoding): boolean {
  const { request, push, scope } = (this as ReadMessage)[READING];
  return (scope as AsyncResource).runInAsyncScope(push, request, chunk, encoding);
}
