/**
 * Whom a server believes, and which fields it believes. node's own BlockList does the matching; addresses
 * of the two families are kept apart, because in one list `::/0` would take every IPv4 address as well.
 */
import { BlockList } from "node:net";
import { FORWARDED_FIELDS, type ForwardedField, type PeerRange, parsePeerRange } from "../gateway/proxies.ts";
import type { Endpoint } from "../gateway/types.ts";

/** IPv6 addresses of this range stand for IPv4 addresses, and are compared as such. */
const MAPPED_BITS = 96;
const mapped = new BlockList();
mapped.addSubnet("::ffff:0:0", MAPPED_BITS, "ipv6");

export class ProxyRules {
  #everybody = false;
  #unix = false;
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();
  readonly #fields: ReadonlySet<ForwardedField>;

  /**
   * @param peers who is trusted, each as `parsePeerRange` reads it
   * @param fields the fields that trusted proxies set; what stands in others is the client's word
   * @throws Error with the reason, where one of `peers` cannot be read.
   */
  constructor(peers: readonly string[], fields: readonly ForwardedField[] = FORWARDED_FIELDS) {
    for (const peer of peers) this.#add(parsePeerRange(peer));
    this.#fields = new Set(fields);
  }

  #add(range: PeerRange): void {
    if (range.kind === "everybody") this.#everybody = true;
    else if (range.kind === "unix") this.#unix = true;
    else {
      const { address, bits, family } = range;
      const isIPv4 = family === "ipv4" || (bits >= MAPPED_BITS && mapped.check(address, "ipv6"));
      (isIPv4 ? this.#ipv4 : this.#ipv6).addSubnet(address, bits, family);
    }
  }

  /** Whether what this end of a connection says of others is taken for true. */
  trusts({ family, address }: Endpoint): boolean {
    if (this.#everybody) return true;
    if (family === "unix") return this.#unix;
    // A client that has gone before anybody asked has no address any more.
    return address !== "" && (family === "ipv4" ? this.#ipv4 : this.#ipv6).check(address, family);
  }

  /** Whether trusted proxies set this field. */
  reads(field: ForwardedField): boolean {
    return this.#fields.has(field);
  }
}
