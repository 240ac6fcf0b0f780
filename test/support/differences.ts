/**
 * The same bytes sent to two servers, and how their answers differ. All that a framework decides is compared:
 * status line, header fields with their order and spelling, content. The exceptions are listed here.
 */
import type { TestContext } from "node:test";
import { type RawAnswer, rawAnswer, rawClient } from "./raw-answer.ts";

/** The fields in which two responses may differ. Where chunks are cut is not compared either. */
const MAY_ALWAYS_DIFFER = [
  /** The clock; it also stands in cookies, see `EXPIRY`. */
  "date",
  /** The server's own: how long it keeps connections. */
  "connection",
  "keep-alive",
];

/** A cookie's expiry depends on the clock. */
const EXPIRY = /(?<=^set-cookie:.*; expires=)[^;]+/i;

export interface RawRequest {
  readonly what: string;
  readonly bytes: Buffer;
  /** Sent after 100 Continue. */
  readonly onContinue?: Buffer;
}

/** A header field that may differ, for all requests or for those that `what` matches. */
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
  // A client that asks for permission waits for it: a server need not give it once the content has come (RFC 9110 10.1.1).
  if (names.includes("expect")) return { what, bytes: Buffer.from(head), onContinue: Buffer.concat(framed) };
  return { what, bytes: Buffer.concat([Buffer.from(head), ...framed]) };
}

/** Lines that describe how the second server's response differs from the first one's; none if they are equal. */
export async function differences(
  test: TestContext,
  request: RawRequest,
  one: number | string,
  other: number | string,
  mayDiffer: readonly Difference[] = [],
): Promise<string[]> {
  const [ours, theirs] = await Promise.all([answerTo(test, request, one), answerTo(test, request, other)]);
  const allowed = new Set([
    ...MAY_ALWAYS_DIFFER,
    ...mayDiffer.filter(({ what }) => what?.test(request.what) ?? true).map(({ field }) => field),
  ]);
  const kept = (fields: readonly string[]): string[] =>
    fields
      .filter((field) => !allowed.has(field.slice(0, field.indexOf(":")).toLowerCase()))
      .map((field) => field.replace(EXPIRY, "…"));
  const found: string[] = [];
  const compare = (name: string, left: string, right: string): void => {
    if (left !== right && !allowed.has(name))
      found.push(`${request.what}: ${name} ${shown(left)} instead of ${shown(right)}`);
  };
  compare("informational", ours.informational.join("\n"), theirs.informational.join("\n"));
  compare("status", ours.status, theirs.status);
  compare("fields", kept(ours.fields).join("\n"), kept(theirs.fields).join("\n"));
  compare("content", ours.content.toString("latin1"), theirs.content.toString("latin1"));
  return found;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 1500 ? `${text.slice(0, 1500)} …` : text);
}

async function answerTo(test: TestContext, request: RawRequest, where: number | string): Promise<RawAnswer> {
  const client = await rawClient(test, where);
  client.send(request.bytes);
  if (request.onContinue !== undefined) {
    await client.until((text) => text.includes("\r\n\r\n"), "an answer to Expect");
    if (client.received.startsWith("HTTP/1.1 100 ")) client.send(request.onContinue);
  }
  return rawAnswer(await client.rest());
}
