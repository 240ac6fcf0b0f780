/** First lines of messages that nobody has parsed: of requests that were refused, of answers written by hand. */

const KNOWN_PROTOCOL = / (HTTP\/\d\.\d)$/;
const STATUS_LINE = /^HTTP\/1\.\d ([2-5]\d\d|101)\b/;

/** Method, target and protocol, as far as the first line of `received` has them; what is left out is empty. */
export function parseRequestLine(received: string): [method: string, target: string, protocol: string] {
  const line = /^[^\r\n]*/.exec(received)?.[0] ?? "";
  const protocol = KNOWN_PROTOCOL.exec(line)?.[1] ?? "";
  const rest = protocol === "" ? line : line.slice(0, -protocol.length - 1);
  const space = rest.indexOf(" ");
  return space === -1 ? [rest, "", protocol] : [rest.slice(0, space), rest.slice(space + 1), protocol];
}

/** The status of an answer by its first bytes; undefined when they are none of HTTP. */
export function parseStatus(first: string | Uint8Array): number | undefined {
  const head = typeof first === "string" ? first.slice(0, 16) : Buffer.from(first.subarray(0, 16)).toString();
  const status = STATUS_LINE.exec(head)?.[1];
  return status === undefined ? undefined : Number(status);
}
