/**
 * Counts the bytes of content that an app passes to node. As in `reading-scope.ts` the methods that replace those of a
 * response are the same for all responses.
 */
import { ServerResponse } from "node:http";

type Write = ServerResponse["write"];
type End = ServerResponse["end"];

const WRITTEN = Symbol("tsgun.written");

type CountedResponse = ServerResponse & { [WRITTEN]?: WrittenContent };

export class WrittenContent {
  bytes = 0;
  readonly write: Write;
  readonly end: End;

  constructor({ write, end }: ServerResponse) {
    this.write = write;
    this.end = end;
  }

  add(chunk: unknown, encoding: unknown): void {
    if (typeof chunk === "string") this.bytes += Buffer.byteLength(chunk, encodingOf(encoding));
    else if (chunk instanceof Uint8Array) this.bytes += chunk.length;
  }
}

export function countContent(response: ServerResponse): WrittenContent {
  const written = new WrittenContent(response);
  (response as CountedResponse)[WRITTEN] = written;
  response.write = countedWrite as Write;
  response.end = countedEnd as End;
  return written;
}

// An app may call the methods of one response on an object of its own, which is not counted.

function countedWrite(this: CountedResponse, ...args: Parameters<Write>): boolean {
  const written = this[WRITTEN];
  written?.add(args[0], args[1]);
  return (written?.write ?? ServerResponse.prototype.write).apply(this, args);
}

function countedEnd(this: CountedResponse, ...args: Parameters<End>): ServerResponse {
  const written = this[WRITTEN];
  written?.add(args[0], args[1]);
  return (written?.end ?? ServerResponse.prototype.end).apply(this, args);
}

function encodingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === "string" && Buffer.isEncoding(encoding) ? encoding : "utf8";
}
