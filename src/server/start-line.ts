/**
 * Start lines of messages that were not parsed: refused requests, and responses that an app writes on a bare
 * connection.
 */

const KNOWN_PROTOCOL = / (HTTP\/\d\.\d)$/;
const STATUS_LINE = /^HTTP\/1\.\d ([2-5]\d\d|101)\b/;

/** Splits the first line of `received`. A missing part is empty. */
export function parseRequestLine(received: string): [method: string, target: string, protocol: string] {
  const line = /^[^\r\n]*/.exec(received)?.[0] ?? "";
  const protocol = KNOWN_PROTOCOL.exec(line)?.[1] ?? "";
  const rest = protocol === "" ? line : line.slice(0, -protocol.length - 1);
  const space = rest.indexOf(" ");
  return space === -1 ? [rest, "", protocol] : [rest.slice(0, space), rest.slice(space + 1), protocol];
}

/** The status in the first bytes of a response; undefined if they are not HTTP. */
export function parseStatus(first: string | Uint8Array): number | undefined {
  const head = typeof first === "string" ? first.slice(0, 16) : Buffer.from(first.subarray(0, 16)).toString();
  const status = STATUS_LINE.exec(head)?.[1];
  return status === undefined ? undefined : Number(status);
}
