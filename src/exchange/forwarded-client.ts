/**
 * The addresses of clients behind trusted proxies, for who wants nothing else of a request: the access log. Clients
 * come again, so what a list of proxies comes to is remembered, within a bound.
 */
import type { Endpoint } from "../gateway/types.ts";
import { readForwarded } from "./forwarded.ts";
import type { ProxyRules } from "./proxy-rules.ts";

const KNOWN_MAX = 1000;

/** The fields that are usually asked for. */
export const CLIENT_FIELDS: readonly string[] = ["x-forwarded-for", "forwarded"];

/** Reads a field of the request by its name in lower case, all its values joined. */
export type FieldReader = (name: string) => string | undefined;

export class ForwardedClients {
  readonly #rules: ProxyRules;
  readonly #known = new Map<string, string>();

  constructor(rules: ProxyRules) {
    this.#rules = rules;
  }

  /** The address of the client, empty on a Unix socket. `peer` must be one that the rules trust. */
  address(field: FieldReader, peer: Endpoint): string {
    const list = this.#rules.reads("x-forwarded-for") ? field("x-forwarded-for") : undefined;
    if (list !== undefined) return this.#known.get(list) ?? this.#follow(list, peer);
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
    // A list that cannot be read comes to the peer, whoever that is.
    if (remote !== peer) {
      if (this.#known.size === KNOWN_MAX) this.#known.clear();
      this.#known.set(list, remote.address);
    }
    return remote.address;
  }
}
