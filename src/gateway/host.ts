/** The syntax of Host, and of the fields with which a proxy forwards it. */
import { isIPv6 } from "node:net";

const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::(\d{0,5}))?$/;

/** RFC 9110 section 7.2: uri-host [ ":" port ]. Userinfo is refused (RFC 9110 section 4.2.4). */
export function isHost(value: string): boolean {
  const match = HOST.exec(value);
  if (match === null) return false;
  if (match[1] !== undefined && !isIPv6(match[1])) return false;
  return match[2] === undefined || Number(match[2]) <= 65535;
}
