/**
 * Encodes the head of a response: status line, fields, and the server's own fields (Date, framing,
 * Connection). It is Latin-1 text, so that head and ASCII content go out in one write.
 */

import { isFieldName, isFieldValue } from "../gateway/fields.ts";
import { REASONS } from "../gateway/statuses.ts";
import { ownCopy } from "../native/own-copy.ts";

const statusLines: (string | undefined)[] = [];

/** `HTTP/1.1 200 OK CRLF`. The version is the server's, regardless of the client's (RFC 9110 section 2.5). */
export function statusLine(status: number): string {
  let line = statusLines[status];
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
    statusLines[status] = line;
  }
  return line;
}

let dateSecond = 0;
let dateLine = "";

/** `Date: … CRLF` (RFC 9110 section 6.6.1), formatted once a second. `now` is in milliseconds. */
export function dateField(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** How a message is delimited, and whether the connection persists. */
export interface Framing {
  /** Content-Length in bytes, or undefined for none. */
  readonly length: number | undefined;
  readonly chunked: boolean;
  readonly keepAlive: boolean;
  /** Whether to send `Connection: keep-alive`, which an HTTP/1.0 client needs. */
  readonly announceKeepAlive: boolean;
}

const KIND = { plain: 1, date: 2, server: 3, connection: 4, length: 5, upgrade: 6 } as const;

/** Fields that the server writes itself or inspects. */
const SPECIAL = new Map<string, number>([
  ["connection", KIND.connection],
  ["content-length", KIND.length],
  ["date", KIND.date],
  ["keep-alive", KIND.server],
  ["proxy-connection", KIND.server],
  ["transfer-encoding", KIND.server],
  ["upgrade", KIND.upgrade],
]);

/** A name that has been sent before, and the lines that it ended last time: most apps send the same few again. */
class KnownName {
  readonly kind: number;
  remembers: boolean;
  /** The length of the latest value that was not the remembered one. A second one of that length is remembered. */
  length = -1;
  copies = 0;
  value: unknown;
  /** The lines before its own, and with it; undefined until the remembered value has come again. */
  before: string | undefined;
  lines = "";

  constructor(kind: number, remembers: boolean) {
    this.kind = kind;
    this.remembers = remembers;
  }
}

/** Bounded, because names may come from request data. */
const knownNames = new Map<string, KnownName>();
const MAX_KNOWN_NAMES = 1000;
/** Names that remember values, and the longest value. */
const MAX_REMEMBERING_NAMES = 50;
const MAX_REMEMBERED_VALUE = 200;
/** Values that a name may have in turn before it remembers none: to copy one costs more than to encode it. */
const MAX_COPIES = 16;

/** Undefined for an invalid name. */
function knownName(name: string): KnownName | undefined {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (!isFieldName(name)) return undefined;
  const kind = SPECIAL.get(name.toLowerCase()) ?? KIND.plain;
  const added = new KnownName(kind, knownNames.size < MAX_REMEMBERING_NAMES);
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(name, added);
  return added;
}

function kindOf(name: string): number {
  return knownName(name)?.kind ?? 0;
}

/**
 * The fast path for the most common headers: a plain object of strings without any of the server's
 * fields. Returns undefined for anything else; the slow path handles it and throws its errors.
 */
export function plainFields(headers: object): string | undefined {
  if (Symbol.iterator in headers) return undefined;
  let text = "";
  for (const name in headers) {
    const value: unknown = (headers as Record<string, unknown>)[name];
    const known = knownName(name);
    if (known === undefined || known.kind !== KIND.plain) return undefined;
    if (value === known.value && text === known.before) {
      text = known.lines;
      continue;
    }
    if (typeof value !== "string" || !isFieldValue(value)) return undefined;
    const lines = `${text}${name}: ${value}\r\n`;
    if (known.remembers && value.length <= MAX_REMEMBERED_VALUE) {
      if (known.value === value) {
        known.before = text;
        known.lines = ownCopy(lines);
      } else if (known.length === value.length) {
        known.value = ownCopy(value);
        known.before = undefined;
        known.copies += 1;
        known.remembers = known.copies < MAX_COPIES;
      } else {
        known.length = value.length;
      }
    }
    text = lines;
  }
  return text;
}

/** Like `plainFields`, for alternating names and values without repetitions. */
export function plainLines(fields: readonly string[]): string | undefined {
  let text = "";
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (kindOf(name) !== KIND.plain || !isFieldValue(value)) return undefined;
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** The beginning of the last `plainHead`. */
const last = { status: 0, fields: "", date: "", isFlat: false, text: "" };

function headStart(status: number, fields: string, date: string): string {
  if (status === last.status && date === last.date && fields === last.fields) {
    if (!last.isFlat) {
      last.text = ownCopy(last.text);
      last.isFlat = true;
    }
    return last.text;
  }
  last.status = status;
  last.fields = fields;
  last.date = date;
  last.isFlat = false;
  last.text = statusLine(status) + fields + date;
  return last.text;
}

/** The usual ends of heads, by the length of the content. */
const lengthEnds: (string | undefined)[] = new Array(2048).fill(undefined);

/** The head of a response with content of a known length. `fields` is a result of `plainFields`. */
export function plainHead(status: number, fields: string, framing: Framing, now: number): string {
  const start = headStart(status, fields, dateField(now));
  const { length, keepAlive, announceKeepAlive } = framing;
  if (length === undefined || length >= lengthEnds.length || !keepAlive || announceKeepAlive)
    return start + framingFields(framing);
  lengthEnds[length] ??= ownCopy(framingFields(framing));
  return start + lengthEnds[length];
}

/** Whether the app asks to close the connection after this response. */
export function asksToClose(fields: readonly string[]): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    if (kindOf(fields[index] as string) !== KIND.connection) continue;
    if (/(?:^|[,\s])close(?:$|[,\s])/i.test(fields[index + 1] as string)) return true;
  }
  return false;
}

/**
 * The fields that the server adds after the app's, up to and including the empty line.
 *
 * @param upgrade whether the app sent Upgrade, which Connection must then name (RFC 9110 section 7.8)
 */
export function framingFields(framing: Framing, upgrade = false): string {
  let text = "";
  if (framing.chunked) text = "Transfer-Encoding: chunked\r\n";
  else if (framing.length !== undefined) text = `Content-Length: ${framing.length}\r\n`;
  let connection = "";
  if (!framing.keepAlive) connection = "close";
  else if (framing.announceKeepAlive) connection = "keep-alive";
  if (upgrade) connection += connection === "" ? "upgrade" : ", upgrade";
  return connection === "" ? `${text}\r\n` : `${text}Connection: ${connection}\r\n\r\n`;
}

/** The head of a final response. `fields` alternates valid names and values; hop-by-hop fields are left out. */
export function responseHead(
  status: number,
  fields: readonly string[],
  framing: Framing,
  now: number,
): string {
  let text = statusLine(status);
  let dated = false;
  let upgrade = false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const kind = kindOf(name);
    if (kind === KIND.date) dated = true;
    else if (kind === KIND.upgrade) upgrade = true;
    else if (kind !== KIND.plain) continue;
    text += `${name}: ${fields[index + 1]}\r\n`;
  }
  if (!dated) text += dateField(now);
  return text + framingFields(framing, upgrade);
}

/** The head of an informational response or a 101; no fields are added. */
export function informationalHead(status: number, fields: readonly string[]): string {
  return `${statusLine(status)}${fieldLines(fields)}\r\n`;
}

/** Encodes alternating names and values as field lines. */
export function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`;
  return text;
}

/** The last chunk and the trailer section (RFC 9112 section 7.1). */
export function lastChunk(trailers: readonly string[]): string {
  return `0\r\n${fieldLines(trailers)}\r\n`;
}
