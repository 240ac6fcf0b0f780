/** The server's own responses on a stream whose app does not respond, and what was sent on one, for the log. */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { STATUS_CODES } from "../../native/http.ts";
import type { EngineExchangeWatch } from "../engine/engine-exchange-watch.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly content: string;
  /** Seconds after which the client should try again. */
  readonly retryAfter?: string;
}

/** The response that says nothing but its status. */
export function answerOf(status: number): Answer {
  return { status, type: "text/plain; charset=utf-8", content: `${status} ${STATUS_CODES[status]}\n` };
}

/** Sends all of it. The stream must have no response yet. */
export function sendAnswer(stream: ServerHttp2Stream, { status, type, content, retryAfter }: Answer): void {
  const fields: OutgoingHttpHeaders = {
    ":status": status,
    "content-type": type,
    "content-length": Buffer.byteLength(content),
    ...(retryAfter !== undefined && { "retry-after": retryAfter }),
  };
  stream.respond(fields);
  // The stream of a HEAD has ended.
  if (!stream.writableEnded) stream.end(content);
}

/** The status of the final response; undefined if none was sent. */
export function sentStatus({ headersSent, sentHeaders }: ServerHttp2Stream): number | undefined {
  return headersSent ? Number(sentHeaders?.[":status"]) : undefined;
}

/** Tells a watch what has been sent. @param bytes of content */
export function reportSent(watch: EngineExchangeWatch, stream: ServerHttp2Stream, bytes: number): void {
  const status = sentStatus(stream);
  if (status === undefined) return;
  const { sentHeaders = {} } = stream;
  const fields: string[] = [];
  for (const [name, value] of Object.entries(sentHeaders)) {
    if (name[0] === ":" || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) fields.push(name, String(one));
  }
  const length = Number(sentHeaders["content-length"] ?? Number.NaN);
  watch.respond(status, fields, Number.isNaN(length) ? undefined : length, bytes);
}
