/**
 * The operator's settings about the proxies in front of a server: their addresses, the fields they set, and
 * the path under which they mount the app. The syntax is defined here, so that every server and every
 * configuration accepts the same.
 */
import { isIPv4, SocketAddress } from "node:net";

/** The fields with which a proxy forwards the client's address and its original request. */
export const FORWARDED_FIELDS = [
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-request-id",
  "forwarded",
] as const;
export type ForwardedField = (typeof FORWARDED_FIELDS)[number];

/** Local peers: the loopback addresses and clients of the server's Unix sockets. */
export const LOCAL_PEERS: readonly string[] = ["127.0.0.0/8", "::1", "unix"];

/** Peers to trust: all, those on a Unix socket, or a range of addresses. */
export type PeerRange =
  | { readonly kind: "any" }
  | { readonly kind: "unix" }
  | {
      readonly kind: "addresses";
      readonly family: "ipv4" | "ipv6";
      readonly address: string;
      readonly bits: number;
    };

/**
 * Parses `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`, `unix` or `*`.
 *
 * @throws Error with the reason
 */
export function parsePeerRange(text: string): PeerRange {
  if (text === "*") return { kind: "any" };
  if (text === "unix") return { kind: "unix" };
  const [address = "", prefix] = text.split("/", 2);
  const version = text.includes("%") ? 0 : versionOf(address);
  if (version === 0) {
    throw new Error(`"${text}" is not an address: use 10.0.0.1, 10.0.0.0/8, 2001:db8::/32, unix or *`);
  }
  const maxBits = version === 4 ? 32 : 128;
  const bits = prefix === undefined ? maxBits : Number(prefix);
  const isNumber = text.split("/").length <= 2 && /^\d*$/.test(prefix ?? "") && prefix !== "";
  if (!isNumber || bits > maxBits)
    throw new Error(`"${text}": the prefix length after the / must be a number from 0 to ${maxBits}`);
  return { kind: "addresses", family: version === 4 ? "ipv4" : "ipv6", address, bits };
}

/** Node's `isIPv6` would compile a large regular expression at each start (5 ms). */
function versionOf(address: string): 0 | 4 | 6 {
  if (!address.includes(":")) return isIPv4(address) ? 4 : 0;
  if (!/^[\dA-Fa-f:.]+$/.test(address)) return 0;
  try {
    new SocketAddress({ address, family: "ipv6" });
    return 6;
  } catch {
    return 0;
  }
}

/** RFC 3986 section 3.3: a path of non-empty segments. */
const ROOT_PATH = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*$/;
const DOTS = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * Normalises a mount path to the form of `request.rootPath`: no trailing slash, "" for `/`. Returns undefined
 * for a malformed or ambiguous path such as `//host` or `/a/../b`.
 */
export function parseRootPath(text: string): string | undefined {
  const path = text.endsWith("/") ? text.slice(0, -1) : text;
  return ROOT_PATH.test(path) && !DOTS.test(path) ? path : undefined;
}
