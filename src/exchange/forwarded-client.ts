/** Client addresses behind trusted proxies, for the access log, which needs nothing else of a request. */
import type { Endpoint } from "../gateway/types.ts";
import { type ForwardedFields, readForwarded, type Walk, walkFor } from "./forwarded.ts";
import type { ProxyRules } from "./proxy-rules.ts";

/** The fields that are usually read. */
export const CLIENT_FIELDS: readonly string[] = ["x-forwarded-for", "forwarded"];

/** The fields of a request. */
export interface FieldSource {
  /** Returns a field by its lower-case name, repeated fields joined. */
  requestField(name: string): string | undefined;
}

/** Where the latest list of a connection led. */
export interface LatestClient {
  walk: Walk | undefined;
}

export class ForwardedClients {
  readonly #rules: ProxyRules;
  readonly #readsList: boolean;

  constructor(rules: ProxyRules) {
    this.#rules = rules;
    this.#readsList = rules.reads("x-forwarded-for");
  }

  /**
   * The client's address, empty on a Unix socket. The rules must trust `peer`.
   *
   * @param latest of the connection: the same client often asks again
   */
  address(fields: FieldSource, peer: Endpoint, latest: LatestClient): string {
    const list = this.#readsList ? fields.requestField("x-forwarded-for") : undefined;
    if (list !== undefined) {
      if (latest.walk === undefined || latest.walk.list !== list)
        latest.walk = walkFor(list, peer, this.#rules);
      return latest.walk.remote.address;
    }
    const forwarded = this.#rules.reads("forwarded") ? fields.requestField("forwarded") : undefined;
    if (forwarded === undefined) return peer.address;
    const found: ForwardedFields = { forwarded };
    for (const name of ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] as const) {
      const value = fields.requestField(name);
      if (value !== undefined) found[name] = value;
    }
    return readForwarded(found, peer, this.#rules).remote.address;
  }
}
