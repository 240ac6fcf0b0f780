/** Reads the content of `POST /inject`. */
import { HttpError } from "../errors.ts";
import type { InjectRequest } from "./inspection.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_TIMEOUT_MS = 600_000;

/** RFC 9110 section 5.6.2 */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 section 5.5, as node sends it: one byte for each character. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^[/*][\x21-\x7e]*$/;

/** @throws HttpError (400) that names the member and what it should be */
export function parseInjectRequest(body: unknown): InjectRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new HttpError(400, 'send {"path": "/…"}, with slot, pid, method, headers, body, encoding, timeout');
  const members = body as Record<string, unknown>;
  for (const name of Object.keys(members))
    if (!MEMBERS.includes(name))
      throw new HttpError(400, `there is no member ${JSON.stringify(name)}: ${MEMBERS.join(", ")}`);
  return {
    slot: whole(members, "slot", 1),
    pid: whole(members, "pid", 1),
    method: methodOf(members.method ?? "GET"),
    target: targetOf(members.path),
    headers: headersOf(members.headers ?? {}),
    body: contentOf(members.body ?? "", members.encoding ?? "utf8"),
    timeout: Math.min(whole(members, "timeout", 1) ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
  };
}

const MEMBERS = ["slot", "pid", "method", "path", "headers", "body", "encoding", "timeout"];

function whole(members: Record<string, unknown>, name: string, least: number): number | undefined {
  const value = members[name];
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new HttpError(400, `${name} is a whole number from ${least}`);
}

function methodOf(value: unknown): string {
  if (typeof value !== "string" || !TOKEN.test(value))
    throw new HttpError(400, "method is a name such as GET");
  // It would take over the connection, which there is none of.
  if (value === "CONNECT") throw new HttpError(400, "method cannot be CONNECT: there is no connection");
  return value;
}

function targetOf(value: unknown): string {
  if (typeof value === "string" && TARGET.test(value)) return value;
  throw new HttpError(
    400,
    "path must begin with / and have only visible ASCII characters: escape others, a space as %20",
  );
}

function headersOf(value: unknown): [string, string][] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HttpError(400, 'headers is an object: {"name": "value"} or {"name": ["one", "two"]}');
  return Object.entries(value).flatMap(([name, given]) => {
    if (!TOKEN.test(name))
      throw new HttpError(400, `${JSON.stringify(name)} is not the name of a header field`);
    const values: unknown[] = Array.isArray(given) ? given : [given];
    return values.map((each): [string, string] => {
      if (typeof each === "string" && FIELD_VALUE.test(each)) return [name, each];
      throw new HttpError(400, `the header field ${name} has a value that cannot be sent`);
    });
  });
}

function contentOf(value: unknown, encoding: unknown): Buffer {
  if (typeof value !== "string")
    throw new HttpError(400, "body is text; for bytes, base64 with encoding base64");
  if (encoding === "utf8" || encoding === "base64") return Buffer.from(value, encoding);
  throw new HttpError(400, 'encoding is "utf8" or "base64"');
}
