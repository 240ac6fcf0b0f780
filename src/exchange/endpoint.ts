/** The ends of a connection as an app sees them. */
import { isIPv6 } from "node:net";
import type { Endpoint } from "../gateway/types.ts";

/** Makes an endpoint of what a socket says of one of its ends; a Unix socket says nothing. */
export function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  if (address === undefined || port === undefined) return { family: "unix", address: "", port: 0 };
  // On a socket that takes both families, an IPv4 client comes with a mapped address.
  if (address.startsWith("::ffff:")) return { family: "ipv4", address: address.slice(7), port };
  return { family: isIPv6(address) ? "ipv6" : "ipv4", address, port };
}
