/** Client addresses behind trusted proxies, for the access log, which needs nothing else of a request. */
import type { Endpoint } from "../gateway/types.ts";
import { type ForwardedFields, readForwarded, walkFor } from "./forwarded.ts";
import type { ProxyRules } from "./proxy-rules.ts";

/** The fields that are usually read. */
export const CLIENT_FIELDS: readonly string[] = ["x-forwarded-for", "forwarded"];

/** Returns a request field by its lower-case name, repeated fields joined. */
export type FieldReader = (name: string) => string | undefined;

export class ForwardedClients {
  readonly #rules: ProxyRules;

  constructor(rules: ProxyRules) {
    this.#rules = rules;
  }

  /** The client's address, empty on a Unix socket. The rules must trust `peer`. */
  address(field: FieldReader, peer: Endpoint): string {
    const list = this.#rules.reads("x-forwarded-for") ? field("x-forwarded-for") : undefined;
    if (list !== undefined) return walkFor(list, peer, this.#rules).remote.address;
    const forwarded = this.#rules.reads("forwarded") ? field("forwarded") : undefined;
    if (forwarded === undefined) return peer.address;
    const fields: ForwardedFields = { forwarded };
    for (const name of ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] as const) {
      const value = field(name);
      if (value !== undefined) fields[name] = value;
    }
    return readForwarded(fields, peer, this.#rules).remote.address;
  }
}
