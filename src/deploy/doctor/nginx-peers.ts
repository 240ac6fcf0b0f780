/** The address from which nginx connects, and whether a list of peers has it. */
import { isIP } from "node:net";
import { ProxyRules } from "../../exchange/proxy-rules.ts";
import { LOCAL_PEERS } from "../../gateway/proxies.ts";
import { isLoopback } from "./bound-addresses.ts";
import type { Facts } from "./facts.ts";
import type { ProxyPass, Upstream } from "./nginx-sites.ts";

/** nginx's address, as seen by tsgun. */
export type Peer = "unix" | "loopback" | { readonly address: string } | "elsewhere";

export function peersOf({ servers }: ProxyPass, { machine: { addresses } }: Facts): Peer[] {
  return servers.map((server: Upstream): Peer => {
    if (server.kind === "unix") return "unix";
    if (isLoopback(server.host)) return "loopback";
    // A connection to one of the machine's own addresses has that address as its source.
    return addresses.includes(server.host) ? { address: server.host } : "elsewhere";
  });
}

/** Whether the list has this peer; undefined if that cannot be determined on this machine. */
export function isAmong(peers: readonly string[], peer: Peer): boolean | undefined {
  const rules = new ProxyRules(peers);
  if (peer === "unix") return rules.trusts({ family: "unix", address: "", port: 0 });
  if (peer === "loopback") return rules.trusts({ family: "ipv4", address: "127.0.0.1", port: 0 });
  if (peer !== "elsewhere") {
    const family = isIP(peer.address) === 6 ? "ipv6" : "ipv4";
    return rules.trusts({ family, address: peer.address, port: 0 });
  }
  const others = peers.filter((entry) => !LOCAL_PEERS.includes(entry) && !isLoopback(entry));
  return others.length === 0 ? false : undefined;
}
