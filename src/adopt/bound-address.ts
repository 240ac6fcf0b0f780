/** Addresses as `server.address()` returns them. */
import type { ListenTarget } from "./listen-call.ts";
import type { BoundAddress } from "./placeholder-handle.ts";

/**
 * The address of a listening socket that the arbiter names by a URL.
 *
 * @param url `http://127.0.0.1:8000`, `http://[::1]:8000` or `unix:/run/app.sock`
 */
export function boundAddress(url: string): BoundAddress {
  const [, host, port] = /^https?:\/\/(.*):(\d+)$/.exec(url) ?? [];
  if (host === undefined) return url.replace(/^unix:/, "");
  const address = host.replace(/^\[(.*)\]$/, "$1");
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port: Number(port) };
}

/** The address that the app asked for. */
export function requestedAddress(target: ListenTarget): BoundAddress {
  if (target.type === "path") return target.path;
  if (target.type === "descriptor") return { address: "::", port: 0, family: "IPv6" };
  const address = target.host ?? "::";
  return { address, port: target.port, family: address.includes(":") ? "IPv6" : "IPv4" };
}
