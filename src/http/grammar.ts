/**
 * The character classes and value forms of RFC 9110, RFC 9112 and RFC 3986, as tables and predicates.
 * They judge bytes and strings and know nothing of messages.
 */
import { isHost } from "../gateway/host.ts";

function table(accepts: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (accepts(byte) ? 1 : 0));
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);

/** RFC 9110 section 5.6.2: tchar, the characters of methods and field names. */
export const TOKEN_BYTE = table(
  (byte) => isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte)),
);

/** RFC 9110 section 5.5: field-vchar, SP and HTAB; obs-text (0x80 to 0xFF) is opaque data. */
export const VALUE_BYTE = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/**
 * Bytes of a request-target: visible ASCII except `#`, because a fragment is never sent (RFC 9112
 * section 3.2). RFC 3986 also excludes `"<>\^{|}` and the backtick, but browsers send some of them in
 * queries, and no recipient can mistake them for a delimiter.
 */
export const TARGET_BYTE = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);

/** The value of a hexadecimal digit, or 255. */
export const HEX_VALUE = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

const ABSOLUTE = /^https?:\/\/([^/?]+)(?:[/?].*)?$/i;
const AUTHORITY_PORT = /:\d+$/;

/**
 * Whether the request-target has a form that RFC 9112 section 3.2 allows for the method. An absolute-form
 * must have the scheme http or https, because this server is the origin of no other.
 */
export function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return AUTHORITY_PORT.test(target) && target[0] !== ":" && isHost(target);
  if (target[0] === "/") return true;
  if (target === "*") return method === "OPTIONS";
  const absolute = ABSOLUTE.exec(target);
  return absolute !== null && isHost(absolute[1] as string) && !(absolute[1] as string).startsWith(":");
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const EXTENSIONS = new RegExp(`^(?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)*$`);

/** RFC 9112 section 7.1.1: chunk-ext. Trailing white space before the CRLF is not part of an extension. */
export function isChunkExtensions(text: string): boolean {
  return EXTENSIONS.test(text);
}
