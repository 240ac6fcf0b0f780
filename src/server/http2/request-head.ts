/**
 * The head of an HTTP/2 request (RFC 9113 section 8), held to the rules of our HTTP/1.1 parser: what an app or a proxy
 * behind it might read in two ways is refused. node:http2 refuses much of it before; these rules do not rely on that. It
 * does no I/O.
 */
import { HttpError } from "../../errors.ts";
import { isFieldName, isFieldValue, isTrailerName } from "../../gateway/fields.ts";
import { isHost } from "../../gateway/host.ts";
import { type FieldPicker, joinValues } from "../../http/field-picker.ts";
import { isTarget, TARGET_BYTE } from "../../http/grammar.ts";
import { HeadLimitError, type RequestLimits } from "../../http/head-limit.ts";
import type { RequestHead } from "../../http/request-head.ts";

/** RFC 9113 section 8.2.2: fields of a connection, which HTTP/2 does not have. */
const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const PSEUDO_FIELDS = new Set([":method", ":scheme", ":path", ":authority", ":protocol"]);

/** Bytes of a request line of HTTP/1.1: two spaces and the version. */
const REQUEST_LINE_REST = " ".length + " HTTP/1.1".length;
/** Bytes of a field line: the colon and a space. */
const FIELD_LINE_REST = ": ".length;

/** Bytes that a field counts besides its name and value (RFC 9113 section 6.5.2). */
const FIELD_OVERHEAD = 32;

const LENGTH = /^\d{1,15}$/;

interface HeadParts {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly rawHeaders: string[];
  readonly contentLength: number | undefined;
  readonly expectContinue: boolean;
  readonly upgrade: boolean;
}

export class StreamHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = "2.0";
  readonly rawHeaders: string[];
  readonly keepAlive = true;
  readonly upgrade: boolean;
  readonly expectContinue: boolean;
  readonly contentLength: number | undefined;
  readonly host: string;

  constructor(parts: HeadParts) {
    this.method = parts.method;
    this.target = parts.target;
    this.rawHeaders = parts.rawHeaders;
    this.upgrade = parts.upgrade;
    this.expectContinue = parts.expectContinue;
    this.contentLength = parts.contentLength;
    this.host = parts.host;
  }

  get prefixed(): boolean {
    return this.field("x-forwarded-prefix") !== undefined;
  }

  get timed(): boolean {
    return this.field("x-request-start") !== undefined;
  }

  pick(picker: FieldPicker, values: (string | undefined)[]): void {
    for (const [index, name] of picker.names.entries()) values[index] = this.field(name);
  }

  field(name: string): string | undefined {
    const fields = this.rawHeaders;
    let value: string | undefined;
    for (let index = 0; index < fields.length; index += 2)
      if (fields[index] === name) value = joinValues(value, fields[index + 1] as string);
    return value;
  }
}

/** The size of a header list (RFC 9113 section 6.5.2). @param fields alternating names and values, in Latin-1 */
export function headerListSize(fields: readonly string[]): number {
  let size = (fields.length / 2) * FIELD_OVERHEAD;
  for (const { length } of fields) size += length;
  return size;
}

/**
 * @param fields alternating names and values as they arrived, pseudo-header fields included
 * @param hasContent whether the stream goes on after the head
 * @throws HttpError for a head that is malformed or exceeds a limit
 */
export function readHead(fields: readonly string[], limits: RequestLimits, hasContent: boolean): StreamHead {
  const pseudo = readPseudoFields(fields);
  const { method, path = "", protocol } = pseudo;
  if (method === undefined || !isFieldName(method)) throw new HttpError(400, "the method is not a token");
  const isConnect = method === "CONNECT" && protocol === undefined;
  const authority = checkedAuthority(pseudo.authority);
  const target = isConnect ? (authority ?? "") : path;
  if (method.length + target.length + REQUEST_LINE_REST > limits.requestLine)
    throw new HeadLimitError("requestLine");
  checkTarget(pseudo, target, isConnect);
  const head = readFields(fields, limits, method, hasContent, authority);
  const host = authority ?? head.host;
  if (host === undefined) throw new HttpError(400, "neither :authority nor Host");
  if (head.host !== undefined && head.host.toLowerCase() !== host.toLowerCase())
    throw new HttpError(400, "Host differs from :authority");
  const { rawHeaders, contentLength, expectContinue } = head;
  const parts = { method, target, host, rawHeaders, contentLength, expectContinue, upgrade: false };
  return protocol === undefined ? new StreamHead(parts) : upgradeHead(parts, protocol);
}

/** An extended CONNECT (RFC 8441) as the request of HTTP/1.1 that asks for the same, which apps and libraries know. */
function upgradeHead(parts: HeadParts, protocol: string): StreamHead {
  if (protocol.toLowerCase() !== "websocket")
    throw new HttpError(501, "unsupported protocol: only websocket is supported");
  const key = Buffer.from(Array.from({ length: 16 }, () => Math.floor(Math.random() * 256)));
  const handshake = [
    "connection",
    "Upgrade",
    "upgrade",
    protocol,
    "sec-websocket-key",
    key.toString("base64"),
  ];
  const rawHeaders = [...parts.rawHeaders, ...handshake];
  return new StreamHead({ ...parts, rawHeaders, method: "GET", upgrade: true, expectContinue: false });
}

type Pseudo = { [Name in "method" | "scheme" | "path" | "authority" | "protocol"]?: string };

/** RFC 9113 section 8.3: each once, before all others, and no unknown ones. */
function readPseudoFields(fields: readonly string[]): Pseudo {
  const pseudo: Pseudo = {};
  let isOver = false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name[0] !== ":") {
      isOver = true;
      continue;
    }
    if (isOver) throw new HttpError(400, "a pseudo-header field behind other fields");
    const key = name.slice(1) as keyof Pseudo;
    if (!PSEUDO_FIELDS.has(name)) throw new HttpError(400, "an unknown pseudo-header field");
    if (pseudo[key] !== undefined) throw new HttpError(400, `more than one ${name}`);
    pseudo[key] = fields[index + 1] as string;
  }
  return pseudo;
}

function checkedAuthority(authority: string | undefined): string | undefined {
  if (authority === undefined) return undefined;
  if (authority === "" || !isHost(authority)) throw new HttpError(400, ":authority is malformed");
  return authority;
}

function checkTarget(pseudo: Pseudo, target: string, isConnect: boolean): void {
  const { method = "", scheme, path, protocol } = pseudo;
  if (protocol !== undefined && method !== "CONNECT")
    throw new HttpError(400, ":protocol without the method CONNECT");
  if (isConnect) {
    if (scheme !== undefined || path !== undefined) throw new HttpError(400, "CONNECT with :scheme or :path");
  } else if (scheme !== "http" && scheme !== "https") {
    throw new HttpError(400, "the scheme is neither http nor https");
  }
  const form = protocol === undefined ? method : "GET";
  const isOfForm = isConnect || target[0] === "/" || target === "*";
  if (!isOfForm || !hasTargetBytes(target) || !isTarget(form, target))
    throw new HttpError(400, "the request-target has no valid form for this method");
}

function hasTargetBytes(target: string): boolean {
  for (let index = 0; index < target.length; index += 1)
    if (TARGET_BYTE[target.charCodeAt(index)] !== 1) return false;
  return true;
}

function readFields(
  fields: readonly string[],
  limits: RequestLimits,
  method: string,
  hasContent: boolean,
  authority: string | undefined,
): Omit<HeadParts, "method" | "target" | "host" | "upgrade"> & { readonly host: string | undefined } {
  // It stands for Host, as the first field, unless that is there too.
  const rawHeaders: string[] = authority === undefined ? [] : ["host", authority];
  let host: string | undefined;
  let declared: number | undefined;
  let expects = 0;
  let cookieAt = -1;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name[0] === ":") continue;
    const value = fields[index + 1] as string;
    checkField(name, value);
    if (name === "host") {
      if (host !== undefined) throw new HttpError(400, "more than one Host field");
      if (!isHost(value)) throw new HttpError(400, "the Host field is malformed");
      host = value;
    } else if (name === "content-length") {
      if (declared !== undefined) throw new HttpError(400, "more than one Content-Length");
      if (!LENGTH.test(value)) throw new HttpError(400, "Content-Length is not a number");
      declared = Number(value);
    } else if (name === "expect") {
      expects += 1;
      if (expects > 1 || value.toLowerCase() !== "100-continue")
        throw new HttpError(417, "unsupported expectation: only 100-continue is supported");
    } else if (name === "cookie" && cookieAt !== -1) {
      // Clients split it to compress it better (RFC 9113 section 8.2.3).
      rawHeaders[cookieAt] = `${rawHeaders[cookieAt]}; ${value}`;
      continue;
    } else if (name === "cookie") cookieAt = rawHeaders.length + 1;
    rawHeaders.push(name, value);
  }
  if (host !== undefined && authority !== undefined) rawHeaders.splice(0, 2);
  checkLimits(rawHeaders, limits, authority !== undefined && host === undefined ? 2 : 0);
  if (!hasContent && declared !== undefined && declared > 0)
    throw new HttpError(400, "the request ended before its content");
  // The stream of a CONNECT goes on, but what it carries is no content (RFC 9110 sections 9.3.6 and 9.3.8).
  if (method === "TRACE" ? hasContent : method === "CONNECT" && declared !== undefined && declared > 0)
    throw new HttpError(400, `${method} with content`);
  return {
    rawHeaders,
    host,
    contentLength: hasContent ? declared : 0,
    expectContinue: expects > 0 && hasContent,
  };
}

/** RFC 9113 section 8.2.1: more than the syntax of HTTP, since such a message may be passed on by HTTP/1.1. */
function checkField(name: string, value: string): void {
  if (!isFieldName(name) || hasCapital(name)) throw new HttpError(400, "a malformed field name");
  if (!isFieldValue(value) || isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)))
    throw new HttpError(400, `the value of the field ${name} is malformed`);
  if (CONNECTION_FIELDS.has(name)) throw new HttpError(400, `HTTP/2 has no field ${name}`);
  if (name === "te" && value !== "trailers") throw new HttpError(400, "TE may only be trailers");
}

/** To compare with `toLowerCase()` costs more than all other checks of a name. */
function hasCapital(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code >= 0x41 && code <= 0x5a) return true;
  }
  return false;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** @param from the index of the first name that was sent as a field */
function checkLimits(rawHeaders: readonly string[], limits: RequestLimits, from = 0): void {
  if ((rawHeaders.length - from) / 2 > limits.fields) throw new HeadLimitError("fields");
  for (let index = from; index < rawHeaders.length; index += 2) {
    const size = (rawHeaders[index] as string).length + (rawHeaders[index + 1] as string).length;
    if (size + FIELD_LINE_REST > limits.fieldSize) throw new HeadLimitError("fieldSize");
  }
}

/** The request line of a head that may be malformed, for the log. */
export function requestLineOf(fields: readonly string[]): string {
  const named = (name: string): string => {
    const index = fields.indexOf(name);
    return index % 2 === 0 ? (fields[index + 1] ?? "") : "";
  };
  return `${named(":method")} ${named(":path")} HTTP/2.0\r\n`;
}

/** The fields of a trailer section. @throws HttpError for a malformed one */
export function readTrailers(fields: readonly string[], limits: RequestLimits): string[] {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    checkField(name, fields[index + 1] as string);
    if (!isTrailerName(name))
      throw new HttpError(400, `the field ${name} is not allowed in a trailer section`);
  }
  checkLimits(fields, limits);
  return [...fields];
}
