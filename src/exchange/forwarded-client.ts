/**
 * Client addresses behind trusted proxies, for the access log, which needs nothing else of a request. Clients return, so
 * the address that a list of proxies leads to is cached; the cache is bounded.
 */
import type { Endpoint } from "../gateway/types.ts";
import { readForwarded } from "./forwarded.ts";
import type { ProxyRules } from "./proxy-rules.ts";

const MAX_CACHED = 1000;

/** The fields that are usually read. */
export const CLIENT_FIELDS: readonly string[] = ["x-forwarded-for", "forwarded"];

/** Returns a request field by its lower-case name, repeated fields joined. */
export type FieldReader = (name: string) => string | undefined;

export class ForwardedClients {
  readonly #rules: ProxyRules;
  readonly #addresses = new Map<string, string>();

  constructor(rules: ProxyRules) {
    this.#rules = rules;
  }

  /** The client's address, empty on a Unix socket. The rules must trust `peer`. */
  address(field: FieldReader, peer: Endpoint): string {
    const list = this.#rules.reads("x-forwarded-for") ? field("x-forwarded-for") : undefined;
    if (list !== undefined) return this.#addresses.get(list) ?? this.#follow(list, peer);
    const forwarded = this.#rules.reads("forwarded") ? field("forwarded") : undefined;
    if (forwarded === undefined) return peer.address;
    const fields: { [name: string]: string } = { forwarded };
    for (const name of ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]) {
      const value = field(name);
      if (value !== undefined) fields[name] = value;
    }
    return readForwarded(fields, peer, this.#rules).remote.address;
  }

  #follow(list: string, peer: Endpoint): string {
    const { remote } = readForwarded({ "x-forwarded-for": list }, peer, this.#rules);
    // A malformed list leads to the peer, which differs between requests, so it is not cached.
    if (remote !== peer) {
      if (this.#addresses.size === MAX_CACHED) this.#addresses.clear();
      this.#addresses.set(list, remote.address);
    }
    return remote.address;
  }
}
