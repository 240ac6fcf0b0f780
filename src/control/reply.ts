/**
 * The replies of a route, and how they are sent: JSON, text, content as it comes (a file), or records as they happen, one
 * line of JSON each. A follower that reads too slowly is dropped: its buffer is bounded, and nothing waits for it.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

interface AnyReply {
  readonly status: number;
  /** Further fields of the response. */
  readonly headers?: OutgoingHttpHeaders;
}

export interface JsonReply extends AnyReply {
  readonly body: unknown;
}

export interface TextReply extends AnyReply {
  /** Media type, with its charset. */
  readonly type: string;
  readonly text: string;
}

/** Content that may be large, sent as fast as the client reads it: `createReadStream(…)`. */
export interface ContentReply extends AnyReply {
  readonly type: string;
  readonly content: AsyncIterable<Uint8Array | string>;
}

/** Takes the records of a stream. */
export interface Sink {
  /** Sends one record; drops the follower if it reads too slowly. */
  send(record: unknown): void;
  /** Ends the stream: no more records will come. */
  end(): void;
}

/** Records as they happen: newline-delimited JSON, until the client goes or the server closes. */
export interface StreamReply extends AnyReply {
  /** Begins to send records; returns what stops it, which is called once. */
  follow(sink: Sink): () => void;
}

export type Reply = JsonReply | TextReply | ContentReply | StreamReply;

/** The facts about a request that few routes need. */
export interface Asked {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The client's address, or its proxy's; "" on a Unix socket. */
  readonly remote: string;
  /** Whether the client wants the records that are to come: `?follow=1`, or `Accept: application/x-ndjson`. */
  readonly follows: boolean;
  /** Aborted when the client is gone before it has the response. */
  readonly gone: AbortSignal;
}

const JSON_TYPE = "application/json; charset=utf-8";
export const NDJSON_TYPE = "application/x-ndjson";

/** More than all that a ring holds: only a follower that does not read has as many bytes waiting. */
export const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** Time in which a client must take some of the content. */
const CONTENT_TIMEOUT_MS = 30_000;

export function isStream(reply: Reply): reply is StreamReply {
  return "follow" in reply;
}

/** Reads the facts of a request. */
export function readAsked(request: IncomingMessage, gone: AbortSignal): Asked {
  const { url = "/", headers } = request;
  const start = url.indexOf("?");
  const query = new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
  const wanted = query.get("follow");
  const accepts = (headers.accept ?? "").toLowerCase().includes(NDJSON_TYPE);
  const remote = request.socket.remoteAddress ?? "";
  return {
    query,
    headers,
    remote,
    follows: wanted === null ? accepts : wanted === "1" || wanted === "true",
    gone,
  };
}

/** Sends a reply. Resolves when it is sent, a stream when it has ended. */
export async function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const isHead = request.method === "HEAD";
  if ("body" in reply) sendText(response, reply, JSON_TYPE, jsonText(reply.body), isHead);
  else if ("text" in reply) sendText(response, reply, reply.type, reply.text, isHead);
  else if (isStream(reply)) await sendStream(response, reply, isHead);
  else await sendContent(response, reply, isHead);
}

function jsonText(body: unknown): string {
  return `${JSON.stringify(body, undefined, 2)}\n`;
}

function writeHead(response: ServerResponse, reply: AnyReply, headers: OutgoingHttpHeaders): void {
  response.writeHead(reply.status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // After an upgrade the next request must reach the new arbiter.
    connection: "close",
    ...headers,
    ...reply.headers,
  });
}

function sendText(
  response: ServerResponse,
  reply: AnyReply,
  type: string,
  text: string,
  isHead: boolean,
): void {
  writeHead(response, reply, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(isHead ? undefined : text);
}

async function sendContent(response: ServerResponse, reply: ContentReply, isHead: boolean): Promise<void> {
  const content = Readable.from(reply.content, { objectMode: false });
  writeHead(response, reply, { "content-type": reply.type });
  if (isHead) {
    content.destroy();
    response.end();
    return;
  }
  response.setTimeout(CONTENT_TIMEOUT_MS, () => response.destroy());
  await pipeline(content, response);
}

async function sendStream(response: ServerResponse, reply: StreamReply, isHead: boolean): Promise<void> {
  writeHead(response, reply, { "content-type": NDJSON_TYPE });
  if (isHead) {
    response.end();
    return;
  }
  response.flushHeaders();
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  const stop = reply.follow({
    send(record) {
      if (response.writableEnded || response.destroyed) return;
      response.write(`${JSON.stringify(record)}\n`);
      if (response.writableLength > MAX_WAITING_BYTES) response.destroy();
    },
    end: () => response.end(),
  });
  await closed;
  stop();
}
