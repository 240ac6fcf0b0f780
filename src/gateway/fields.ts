/**
 * The gateway's rules for header fields: how repeated fields are joined, and which names and values may
 * be sent. A name or value that could split a response is rejected here.
 */
import { GatewayError } from "../errors.ts";
import { clause } from "./clauses.ts";
import type { Fields, HeadersInput } from "./types.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** RFC 9110 section 5.1: a field name is a token. */
export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

/** RFC 9110 section 5.5: no CR, LF, NUL or other control characters except HTAB, and nothing beyond Latin-1. */
export function isFieldValue(value: string): boolean {
  return VALUE.test(value);
}

/**
 * Fields whose value is not a list, so that joining two would change the meaning (RFC 9110 section 5.3).
 * The first one counts; the raw fields contain all of them.
 */
const SINGLETONS = new Set([
  "age",
  "authorization",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "date",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "server",
  "set-cookie",
  "user-agent",
]);

const NO_FIELDS: Fields = Object.freeze(Object.create(null));

/** Joins alternating raw names and values into an object by lower-case name. */
export function joinFields(raw: readonly string[]): Fields {
  if (raw.length === 0) return NO_FIELDS;
  const fields: { [name: string]: string | undefined } = Object.create(null);
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] as string).toLowerCase();
    const value = raw[index + 1] as string;
    const earlier = fields[name];
    if (earlier === undefined) fields[name] = value;
    else if (!SINGLETONS.has(name)) fields[name] = `${earlier}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return fields;
}

/** Collects the values of each field by lower-case name. @param fields alternating names and values */
export function distinctFields(fields: readonly string[]): Record<string, string[]> {
  const all: Record<string, string[]> = Object.create(null);
  for (let index = 0; index < fields.length; index += 2) {
    const name = (fields[index] as string).toLowerCase();
    all[name] ??= [];
    all[name].push(fields[index + 1] as string);
  }
  return all;
}

function addField(raw: string[], name: string, value: unknown): void {
  if (!isFieldName(name)) {
    throw new GatewayError(clause.fields, `${JSON.stringify(name)} is not a valid field name`);
  }
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !isFieldValue(text)) {
    throw new GatewayError(clause.fields, `the field ${name} has an invalid value: ${JSON.stringify(text)}`);
  }
  raw.push(name, text);
}

function isIterable(input: object): input is Iterable<readonly [string, string]> {
  return Symbol.iterator in input;
}

/**
 * Converts headers in any form that an app may pass to alternating names and values.
 *
 * @throws GatewayError for a name or value that must not be sent.
 */
export function rawFields(input: HeadersInput | null | undefined): string[] {
  const raw: string[] = [];
  if (input === null || input === undefined) return raw;
  if (typeof input !== "object") {
    throw new GatewayError(clause.fields, `headers must be an object or pairs, not ${typeof input}`);
  }
  if (isIterable(input)) {
    for (const [name, value] of input) addField(raw, name, value);
    return raw;
  }
  for (const name of Object.keys(input)) {
    const value = input[name];
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const each of value) addField(raw, name, each);
    else addField(raw, name, value);
  }
  return raw;
}

/** Alternating names and values as pairs. */
export function fieldPairs(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    pairs.push([raw[index] as string, raw[index + 1] as string]);
  }
  return pairs;
}

/**
 * Fields that are refused in a trailer section, because framing, routing, authentication and content
 * metadata come too late there (RFC 9110 section 6.5.1).
 */
const FORBIDDEN_TRAILERS = new Set([
  "age",
  "authorization",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "expires",
  "forwarded",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "keep-alive",
  "location",
  "max-forwards",
  "pragma",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "retry-after",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "vary",
  "via",
  "warning",
  "www-authenticate",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
]);

/** Whether a field of this name is allowed in a trailer section. */
export function isTrailerName(name: string): boolean {
  return !FORBIDDEN_TRAILERS.has(name.toLowerCase());
}
