/** How the fields of proxies name an end of a connection (RFC 7239 section 6, and what is usual in X-Forwarded-For). */
import { isIPv4, isIPv6, SocketAddress } from "node:net";
import type { Endpoint } from "../gateway/types.ts";
import { endpoint, UNIX_END } from "./endpoint.ts";

const PORT = "(?::(\\d{1,5}|_[A-Za-z0-9._-]+))?";
const IPV4 = new RegExp(`^(\\d[\\d.]{6,14})${PORT}$`);
const BRACKETED = new RegExp(`^\\[([\\dA-Fa-f:.]{2,45})\\]${PORT}$`);
const BARE_IPV6 = /^[\dA-Fa-f:.]{2,45}$/;

/**
 * Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, and `unix:`, which is what nginx
 * says of whoever came by a Unix socket. A port that is not told, or hidden, is 0.
 *
 * @returns undefined for anything else: what is malformed, `unknown`, and a hidden name (`_gazonk`).
 */
export function forwardedNode(text: string): Endpoint | undefined {
  const ipv4 = IPV4.exec(text);
  if (ipv4 !== null) return isIPv4(ipv4[1] as string) ? withPort(ipv4[1] as string, ipv4[2]) : undefined;
  const bracketed = BRACKETED.exec(text);
  if (bracketed !== null) return ipv6(bracketed[1] as string, bracketed[2]);
  if (BARE_IPV6.test(text)) return ipv6(text, undefined);
  return text === "unix:" ? UNIX_END : undefined;
}

function ipv6(text: string, port: string | undefined): Endpoint | undefined {
  if (!isIPv6(text)) return undefined;
  // One address has many spellings: apps compare with the one that the system gives.
  return withPort(new SocketAddress({ address: text, family: "ipv6" }).address, port);
}

function withPort(address: string, digits: string | undefined): Endpoint | undefined {
  const port = digits === undefined || digits.startsWith("_") ? 0 : Number(digits);
  return port > 65535 ? undefined : endpoint(address, port);
}
