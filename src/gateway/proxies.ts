/**
 * What whoever runs a server says of the proxies in front of it: who they are, which fields they set, and
 * under which path they mount the app. The forms are here, so that every server and every configuration
 * takes the same ones.
 */
import { isIP } from "node:net";

/** The fields in which a proxy says who asks, and for what. */
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

/** This machine: its loopback addresses, and who may connect to the server's Unix sockets. */
export const LOCAL_PEERS: readonly string[] = ["127.0.0.0/8", "::1", "unix"];

/** Peers to trust: everybody, who comes by a Unix socket, or a range of addresses. */
export type PeerRange =
  | { readonly kind: "everybody" }
  | { readonly kind: "unix" }
  | {
      readonly kind: "addresses";
      readonly family: "ipv4" | "ipv6";
      readonly address: string;
      readonly bits: number;
    };

/**
 * Reads `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`, `unix` or `*`.
 * @throws Error with the reason.
 */
export function parsePeerRange(text: string): PeerRange {
  if (text === "*") return { kind: "everybody" };
  if (text === "unix") return { kind: "unix" };
  const [address = "", prefix] = text.split("/", 2);
  const version = text.includes("%") ? 0 : isIP(address);
  if (version === 0) {
    throw new Error(`"${text}" is no address: write 10.0.0.1, 10.0.0.0/8, 2001:db8::/32, unix or *`);
  }
  const most = version === 4 ? 32 : 128;
  const bits = prefix === undefined ? most : Number(prefix);
  const whole = text.split("/").length <= 2 && /^\d*$/.test(prefix ?? "") && prefix !== "";
  if (!whole || bits > most) throw new Error(`"${text}": behind the / stands a number from 0 to ${most}`);
  return { kind: "addresses", family: version === 4 ? "ipv4" : "ipv6", address, bits };
}

/** RFC 3986 section 3.3: segments that are not empty. */
const ROOT_PATH = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*$/;
const DOTS = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * A path under which an app is mounted, as requests have it (`rootPath`): without the slash at its end,
 * "" for `/`. undefined for what is no such path, or could be taken for more than one: `//host`, `/a/../b`.
 */
export function rootPathOf(text: string): string | undefined {
  const path = text.endsWith("/") ? text.slice(0, -1) : text;
  return ROOT_PATH.test(path) && !DOTS.test(path) ? path : undefined;
}
