/** Parses node identifiers in forwarded fields (RFC 7239 section 6, and the forms common in X-Forwarded-For). */
import { isIPv4, isIPv6, SocketAddress } from "node:net";
import type { Endpoint } from "../gateway/types.ts";
import { endpoint, UNIX_ENDPOINT } from "./endpoint.ts";

const PORT = "(?::(\\d{1,5}|_[A-Za-z0-9._-]+))?";
const IPV4 = new RegExp(`^(\\d[\\d.]{6,14})${PORT}$`);
const BRACKETED = new RegExp(`^\\[([\\dA-Fa-f:.]{2,45})\\]${PORT}$`);
const BARE_IPV6 = /^[\dA-Fa-f:.]{2,45}$/;

/**
 * Parses `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, and `unix:`, which nginx sends for
 * a client on a Unix socket. A missing or obfuscated port is 0.
 *
 * @returns undefined for anything else: malformed text, `unknown` and obfuscated identifiers (`_gazonk`)
 */
export function parseForwardedNode(text: string): Endpoint | undefined {
  const ipv4 = IPV4.exec(text);
  if (ipv4 !== null) return isIPv4(ipv4[1] as string) ? withPort(ipv4[1] as string, ipv4[2]) : undefined;
  const bracketed = BRACKETED.exec(text);
  if (bracketed !== null) return ipv6(bracketed[1] as string, bracketed[2]);
  if (BARE_IPV6.test(text)) return ipv6(text, undefined);
  return text === "unix:" ? UNIX_ENDPOINT : undefined;
}

function ipv6(text: string, port: string | undefined): Endpoint | undefined {
  if (!isIPv6(text)) return undefined;
  // Normalise the spelling to the system's, which apps compare with.
  return withPort(new SocketAddress({ address: text, family: "ipv6" }).address, port);
}

function withPort(address: string, digits: string | undefined): Endpoint | undefined {
  const port = digits === undefined || digits.startsWith("_") ? 0 : Number(digits);
  return port > 65535 ? undefined : endpoint(address, port);
}
