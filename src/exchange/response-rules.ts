/** The rules for the head and trailers of a response: what an app may set, and what the server sets itself. */
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { isTrailerName, rawFields } from "../gateway/fields.ts";
import type { HeadersInput } from "../gateway/types.ts";

/**
 * The Content-Length of a response sent in one call; undefined for none. A 204 has no such field, a 205 sends 0 (RFC 9110
 * section 15.3.6), and a 304 sends the length that a 200 would have, if the app declares it.
 */
export function contentLengthFor(
  status: number,
  length: number,
  declared: number | undefined,
): number | undefined {
  if (status === 204) return undefined;
  if (status === 205) return 0;
  return declared ?? (status === 304 && length === 0 ? undefined : length);
}

/** Connection fields, and framing fields, which no 1xx can have (RFC 9110 section 8.6, RFC 9112 section 6.1). */
const FRAMING = new Set(["content-length", "keep-alive", "proxy-connection", "trailer", "transfer-encoding"]);

/** The fields of an informational response. Only the final response carries connection fields. */
export function informationalFields(headers: HeadersInput | undefined): string[] {
  return keepFields(rawFields(headers), (name) => {
    return !FRAMING.has(name) && name !== "connection" && name !== "upgrade";
  });
}

/** The fields of a final response that is not the app's own: all but those of framing and the connection. */
export function keepFinalFields(fields: readonly string[]): string[] {
  return keepFields(fields, (name) => !FRAMING.has(name) && name !== "connection" && name !== "upgrade");
}

/** The fields of a 101. Connection must name Upgrade (RFC 9110 section 7.8), so it is added if missing. */
export function upgradeFields(headers: HeadersInput): string[] {
  let connected = false;
  const fields = keepFields(rawFields(headers), (name, value) => {
    if (name !== "connection") return !FRAMING.has(name);
    const upgrades = UPGRADE_OPTION.test(value);
    connected ||= upgrades;
    return upgrades;
  });
  return connected ? fields : ["Connection", "Upgrade", ...fields];
}

const UPGRADE_OPTION = /(?:^|[,\s])upgrade(?:$|[,\s])/i;

/** Filters alternating names and values. `keep` gets the name in lower case. */
function keepFields(fields: readonly string[], keep: (name: string, value: string) => boolean): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (keep(name.toLowerCase(), value)) kept.push(name, value);
  }
  return kept;
}

/** Removes Content-Length from `fields` and returns it, because the transport writes that field. */
export function extractContentLength(fields: string[]): number | undefined {
  let length: number | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if ((fields[index] as string).toLowerCase() !== "content-length") continue;
    const value = fields[index + 1] as string;
    if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== Number(value))) {
      throw new GatewayError(clause.contentLength, `${JSON.stringify(value)} is not a valid Content-Length`);
    }
    length = Number(value);
    fields.splice(index, 2);
    index -= 2;
  }
  return length;
}

/** The error for content whose length is not the declared one. `actual` describes it: "the content has 3 bytes". */
export function lengthMismatch(declared: number, actual: string): GatewayError {
  return new GatewayError(clause.contentLength, `Content-Length is ${declared}, but ${actual}`);
}

/** The fields of a trailer section. @throws GatewayError for a field that is not allowed there */
export function trailerFields(trailers: HeadersInput | undefined): string[] {
  const fields = rawFields(trailers);
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (!isTrailerName(name))
      throw new GatewayError(clause.writer, `the field ${name} is not allowed as a trailer`);
  }
  return fields;
}
