/**
 * Writes the head of a response: status line, fields, and what belongs to the server (Date, framing,
 * Connection). Everything is Latin-1 text, so that head and ASCII content leave in one write.
 */
import { isFieldName, isFieldValue } from "../gateway/fields.ts";
import { REASONS } from "../gateway/reasons.ts";

const statusLines: (string | undefined)[] = [];

/** `HTTP/1.1 200 OK CRLF`. The version is the server's own, whatever the client speaks (RFC 9110 section 2.5). */
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

/** `Date: … CRLF` (RFC 9110 section 6.6.1), made once a second. `now` is in milliseconds. */
export function dateField(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** How a message is delimited and whether the connection stays. */
export interface Framing {
  /** Content-Length, or undefined for none. */
  readonly length: number | undefined;
  readonly chunked: boolean;
  readonly keepAlive: boolean;
  /** An HTTP/1.0 client has to be told that the connection stays. */
  readonly sayKeepAlive: boolean;
}

const KIND = { plain: 1, date: 2, server: 3, connection: 4, length: 5, upgrade: 6 } as const;

/** Fields that are the server's to write, or that it watches. */
const SPECIAL = new Map<string, number>([
  ["connection", KIND.connection],
  ["content-length", KIND.length],
  ["date", KIND.date],
  ["keep-alive", KIND.server],
  ["proxy-connection", KIND.server],
  ["transfer-encoding", KIND.server],
  ["upgrade", KIND.upgrade],
]);

/** Names seen before, with their kind: an app uses the same few all its life. Bounded, since names may come from data. */
const knownNames = new Map<string, number>();
const KNOWN_NAMES_MAX = 1000;

function kindOf(name: string): number {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (!isFieldName(name)) return 0;
  const kind = SPECIAL.get(name.toLowerCase()) ?? KIND.plain;
  if (knownNames.size < KNOWN_NAMES_MAX) knownNames.set(name, kind);
  return kind;
}

/**
 * The short way for the commonest headers: a plain object of strings in which no field is the
 * server's. Returns undefined for anything else, which then goes the long way and gets its errors there.
 */
export function plainFields(headers: object): string | undefined {
  if (Symbol.iterator in headers) return undefined;
  let text = "";
  for (const name in headers) {
    const value: unknown = (headers as Record<string, unknown>)[name];
    if (typeof value !== "string" || kindOf(name) !== KIND.plain || !isFieldValue(value)) return undefined;
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** Whether the app itself asks for the connection to be closed behind this answer. */
export function asksToClose(fields: readonly string[]): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    if (kindOf(fields[index] as string) !== KIND.connection) continue;
    if (/(?:^|[,\s])close(?:$|[,\s])/i.test(fields[index + 1] as string)) return true;
  }
  return false;
}

/**
 * What the server writes behind the app's fields, up to and including the empty line.
 *
 * @param upgrade whether Upgrade is among them, which makes it an option of Connection (RFC 9110 section 7.8)
 */
export function framingFields(framing: Framing, upgrade = false): string {
  let text = "";
  if (framing.chunked) text = "Transfer-Encoding: chunked\r\n";
  else if (framing.length !== undefined) text = `Content-Length: ${framing.length}\r\n`;
  let connection = "";
  if (!framing.keepAlive) connection = "close";
  else if (framing.sayKeepAlive) connection = "keep-alive";
  if (upgrade) connection += connection === "" ? "upgrade" : ", upgrade";
  return connection === "" ? `${text}\r\n` : `${text}Connection: ${connection}\r\n\r\n`;
}

/** The head of a final answer. `fields` are valid names and values in turn; hop-by-hop ones are left out. */
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

/** The head of an informational answer, or of a 101: nothing is added to it. */
export function informationalHead(status: number, fields: readonly string[]): string {
  return `${statusLine(status)}${fieldLines(fields)}\r\n`;
}

/** Names and values as field lines. */
export function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`;
  return text;
}

/** RFC 9112 section 7.1: what ends chunked content. */
export function lastChunk(trailers: readonly string[]): string {
  return `0\r\n${fieldLines(trailers)}\r\n`;
}
