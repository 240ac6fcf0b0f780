/**
 * The same bytes sent to two servers, and how their answers differ. All that a framework decides is compared:
 * status line, header fields with their order and spelling, content. What may differ is listed here.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { RawClient } from "./engine.ts";

/** Why two answers may not be the same to the byte. */
const MAY_ALWAYS_DIFFER = [
  /** The clock. */
  "date",
  /** The server's own: how long it keeps connections. */
  "connection",
  "keep-alive",
];

export interface RawRequest {
  readonly what: string;
  readonly bytes: Buffer;
}

/** A header field that may differ, for all requests or for those that `what` matches; or all of an answer. */
export interface Difference {
  readonly field: string;
  readonly what?: RegExp;
}

type Fields = Record<string, string> | readonly (readonly [string, string])[];

/** A request on a connection of its own; what it lacks to be one is added. */
export function rawRequest(
  what: string,
  method: string,
  target: string,
  fields: Fields = {},
  content?: string,
  version = "1.1",
): RawRequest {
  const given = Array.isArray(fields) ? fields : Object.entries(fields);
  const names = given.map(([name]) => name.toLowerCase());
  const lines = [["Host", "notes.test"], ...given];
  if (!names.includes("connection")) lines.push(["Connection", "close"]);
  const chunked = names.includes("transfer-encoding");
  const body = Buffer.from(content ?? "");
  if (content !== undefined && !chunked) lines.push(["Content-Length", String(body.length)]);
  const head = `${method} ${target} HTTP/${version}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const framed = chunked
    ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]
    : [body];
  return { what, bytes: Buffer.concat([Buffer.from(head), ...framed]) };
}

interface RawAnswer {
  readonly informational: readonly string[];
  readonly status: string;
  readonly fields: readonly string[];
  readonly content: string;
}

/** Lines that say how the second server's answer is another than the first one's. None when they are the same. */
export async function differences(
  request: RawRequest,
  one: number,
  other: number,
  mayDiffer: readonly Difference[] = [],
): Promise<string[]> {
  const [ours, theirs] = await Promise.all([answerTo(request, one), answerTo(request, other)]);
  const allowed = new Set([
    ...MAY_ALWAYS_DIFFER,
    ...mayDiffer.filter(({ what }) => what?.test(request.what) ?? true).map(({ field }) => field),
  ]);
  const kept = (fields: readonly string[]): string[] =>
    fields.filter((field) => !allowed.has(field.slice(0, field.indexOf(":")).toLowerCase()));
  const found: string[] = [];
  const compare = (name: string, left: string, right: string): void => {
    if (left !== right && !allowed.has(name))
      found.push(`${request.what}: ${name} ${shown(left)} instead of ${shown(right)}`);
  };
  compare("informational", ours.informational.join("\n"), theirs.informational.join("\n"));
  compare("status", ours.status, theirs.status);
  compare("fields", kept(ours.fields).join("\n"), kept(theirs.fields).join("\n"));
  compare("content", ours.content, theirs.content);
  return found;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 1500 ? `${text.slice(0, 1500)} …` : text);
}

async function answerTo(request: RawRequest, port: number): Promise<RawAnswer> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const client = new RawClient(socket);
  client.send(request.bytes);
  let rest = await client.rest();
  const informational: string[] = [];
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const [status = "", ...fields] = rest.slice(0, Math.max(end, 0)).split("\r\n");
    const after = rest.slice(end + 4);
    if (!status.startsWith("HTTP/1.1 1") || status.startsWith("HTTP/1.1 101")) {
      const chunked = fields.some((field) => /^transfer-encoding: *chunked$/i.test(field));
      return { informational, status, fields, content: chunked ? withoutChunks(after) : after };
    }
    informational.push(status);
    rest = after;
  }
}

/** Where the chunks are cut is a matter of time. What is no chunk stays as it is. */
function withoutChunks(text: string): string {
  let content = "";
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (end === -1 || Number.isNaN(size)) return `${content}[broken at ${JSON.stringify(text.slice(at))}]`;
    if (size === 0) return content + text.slice(end + 4);
    content += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
