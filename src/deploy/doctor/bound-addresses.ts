/** Matches the addresses that nginx connects to with those the server listens on. */
import { isAbsolute, normalize, resolve } from "node:path";
import { type Address, formatAddress, parseAddress } from "../../config/address.ts";
import type { Facts } from "./facts.ts";
import type { ProxyPass, Upstream } from "./nginx-sites.ts";
import type { Unit } from "./systemd-unit.ts";

const WILDCARD_HOSTS = ["0.0.0.0", "::"];

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.|^::ffff:127\./.test(host);
}

export function isWildcardHost(host: string): boolean {
  return WILDCARD_HOSTS.includes(host);
}

/** Returns the addresses of a socket unit. Socket types that tsgun does not use are skipped. */
export function streamsOf(unit: Unit): Address[] {
  return unit.all("Socket", "ListenStream").flatMap(({ value }): Address[] => {
    if (value.startsWith("/")) return [{ kind: "unix", path: value }];
    try {
      return [parseAddress(value)];
    } catch {
      return [];
    }
  });
}

export function formatUpstream(server: Upstream): string {
  return formatAddress(server);
}

/** Whether the server listens on the upstream's address. For the name of another machine only the port can be compared. */
function listensAt(upstream: Upstream, address: Address, folder: string): boolean {
  if (upstream.kind === "unix")
    return address.kind === "unix" && samePath(upstream.path, address.path, folder);
  if (address.kind === "unix" || upstream.port !== address.port) return false;
  if (isWildcardHost(address.host) || upstream.host === address.host) return true;
  return isLoopback(address.host) ? isLoopback(upstream.host) : !isLoopback(upstream.host);
}

/** Relative paths depend on the working folder of nginx or tsgun, so identical spellings count as equal. */
function samePath(theirs: string, ours: string, folder: string): boolean {
  if (!isAbsolute(theirs))
    return normalize(theirs) === normalize(ours) || resolve(folder, theirs) === resolve(folder, ours);
  return normalize(theirs) === resolve(folder, ours);
}

/** Whether nginx passes requests from there to an address of this server. */
export function pointsHere({ servers }: ProxyPass, { bound, folder }: Facts): boolean {
  return servers.some((server) => bound.some((address) => listensAt(server, address, folder)));
}

/**
 * Returns the places that pass requests to this server. If none matches, returns all whose servers are known
 * (not chosen by a variable), assuming that they are meant for it.
 */
export function ownProxyPasses(facts: Facts): readonly ProxyPass[] {
  const { proxyPasses } = facts.nginx;
  const own = proxyPasses.filter((proxyPass) => pointsHere(proxyPass, facts));
  return own.length > 0 ? own : proxyPasses.filter(({ servers }) => servers.length > 0);
}
