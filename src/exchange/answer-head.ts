/** What the head and the trailers of an answer may say, and what the server says in the app's place. */
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { fieldPairs, isTrailerName } from "../gateway/fields.ts";
import type { HeadersInput } from "../gateway/types.ts";

/** RFC 9110 sections 6.4.1, 15.3.5, 15.3.6 and 15.4.5. */
export function forbidsContent(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/**
 * What Content-Length says of an answer that is given whole; undefined where there is none. A 204 has no such field,
 * a 205 says 0 (RFC 9110 section 15.3.6), and a 304 has the length that a 200 would have, if the app tells it.
 */
export function saidLength(status: number, length: number, declared: number | undefined): number | undefined {
  if (status === 204) return undefined;
  if (status === 205) return 0;
  return declared ?? (status === 304 && length === 0 ? undefined : length);
}

export function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** RFC 9110 section 7.8: who sends Upgrade sends it as an option of Connection too. */
export function upgradeFields(headers: HeadersInput): string[] {
  const fields = fieldPairs(headers);
  const connected = fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === "connection");
  return connected ? fields : ["Connection", "Upgrade", ...fields];
}

/** Takes content-length out of the fields: the carrier writes it. */
export function takeContentLength(fields: string[]): number | undefined {
  let length: number | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if ((fields[index] as string).toLowerCase() !== "content-length") continue;
    const value = fields[index + 1] as string;
    if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== Number(value))) {
      throw new GatewayError(clause.contentLength, `${JSON.stringify(value)} is no content-length`);
    }
    length = Number(value);
    fields.splice(index, 2);
    index -= 2;
  }
  return length;
}

export function trailerPairs(trailers: HeadersInput | undefined): string[] {
  const pairs = fieldPairs(trailers);
  for (let index = 0; index < pairs.length; index += 2) {
    const name = pairs[index] as string;
    if (!isTrailerName(name)) throw new GatewayError(clause.writer, `the field ${name} cannot be a trailer`);
  }
  return pairs;
}
