/** Whether what nginx connects to is where the server listens. */
import { isAbsolute, normalize, resolve } from "node:path";
import { type Address, formatAddress, parseAddress } from "../../config/address.ts";
import type { Facts } from "./facts.ts";
import type { Passage, Upstream } from "./nginx-sites.ts";
import type { Unit } from "./systemd-unit.ts";

const EVERY_HOST = ["0.0.0.0", "::"];

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.|^::ffff:127\./.test(host);
}

export function isEveryHost(host: string): boolean {
  return EVERY_HOST.includes(host);
}

/** What a socket unit listens at. Kinds of sockets that tsgun has nothing to do with are left out. */
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

/** Whether the server listens where `upstream` leads. Of another machine's name only the port is known. */
function listensAt(upstream: Upstream, address: Address, folder: string): boolean {
  if (upstream.kind === "unix")
    return address.kind === "unix" && samePath(upstream.path, address.path, folder);
  if (address.kind === "unix" || upstream.port !== address.port) return false;
  if (isEveryHost(address.host) || upstream.host === address.host) return true;
  return isLoopback(address.host) ? isLoopback(upstream.host) : !isLoopback(upstream.host);
}

/** Relative ones start where nginx, or tsgun, is started: what is written alike is taken for the same. */
function samePath(theirs: string, ours: string, folder: string): boolean {
  if (!isAbsolute(theirs))
    return normalize(theirs) === normalize(ours) || resolve(folder, theirs) === resolve(folder, ours);
  return normalize(theirs) === resolve(folder, ours);
}

/** Whether nginx passes requests from there to this server, or to one like it beside it. */
export function leadsHere({ servers }: Passage, { bound, folder }: Facts): boolean {
  return servers.some((server) => bound.some((address) => listensAt(server, address, folder)));
}

/**
 * The places that pass requests to this server. Where none does, all are taken to be meant for it, except those
 * whose servers a variable chooses.
 */
export function ownPassages(facts: Facts): readonly Passage[] {
  const { passages } = facts.nginx;
  const own = passages.filter((passage) => leadsHere(passage, facts));
  return own.length > 0 ? own : passages.filter(({ servers }) => servers.length > 0);
}
