/**
 * Which peers and which of their forwarded fields a server trusts. Node's BlockList does the matching. Each
 * address family has its own list, because in a common list `::/0` would match every IPv4 address too.
 */

import { BlockList } from "node:net";
import { FORWARDED_FIELDS, type ForwardedField, type PeerRange, parsePeerRange } from "../gateway/proxies.ts";
import type { Endpoint } from "../gateway/types.ts";
import { ownCopy } from "../native/own-copy.ts";

/** IPv4-mapped IPv6 addresses, which are compared as IPv4 addresses. */
const MAPPED_BITS = 96;
const mapped = new BlockList();
mapped.addSubnet("::ffff:0:0", MAPPED_BITS, "ipv6");

/** Addresses and lists that are remembered: about a megabyte of each, if a client makes up the longest. */
const MAX_KNOWN = 4096;

export class ProxyRules {
  /** Where lists of X-Forwarded-For lead, which depends on nothing but the rules. */
  readonly walks = new RecentMap<{
    readonly remote: Endpoint;
    readonly hops: number;
    readonly list: string;
  }>(MAX_KNOWN);
  /** Node's BlockList makes an object of each address, which costs a fifth of a small request. */
  readonly #trusted = new RecentMap<boolean>(MAX_KNOWN);
  #trustsAny = false;
  #trustsUnix = false;
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();
  readonly #fields: ReadonlySet<ForwardedField>;

  /**
   * @param peers the trusted peers, in the syntax of `parsePeerRange`
   * @param fields the fields that trusted proxies set; any other comes from the client and is ignored
   * @throws Error with the reason if one of `peers` is malformed
   */
  constructor(peers: readonly string[], fields: readonly ForwardedField[] = FORWARDED_FIELDS) {
    for (const peer of peers) this.#add(parsePeerRange(peer));
    this.#fields = new Set(fields);
  }

  #add(range: PeerRange): void {
    if (range.kind === "any") this.#trustsAny = true;
    else if (range.kind === "unix") this.#trustsUnix = true;
    else {
      const { address, bits, family } = range;
      const isIPv4 = family === "ipv4" || (bits >= MAPPED_BITS && mapped.check(address, "ipv6"));
      (isIPv4 ? this.#ipv4 : this.#ipv6).addSubnet(address, bits, family);
    }
  }

  /** Whether the forwarded fields of this peer are trusted. */
  trusts({ family, address }: Endpoint): boolean {
    if (this.#trustsAny) return true;
    if (family === "unix") return this.#trustsUnix;
    // The address is empty if the connection closed before it was read.
    if (address === "") return false;
    let trusted = this.#trusted.get(address);
    if (trusted === undefined) {
      trusted = (family === "ipv4" ? this.#ipv4 : this.#ipv6).check(address, family);
      this.#trusted.set(ownCopy(address), trusted);
    }
    return trusted;
  }

  /** Whether trusted proxies set this field. */
  reads(field: ForwardedField): boolean {
    return this.#fields.has(field);
  }
}

/** Results for texts that come from requests. Bounded, because a client can make up any number of them. */
export class RecentMap<Value> {
  readonly #limit: number;
  readonly #values = new Map<string, Value>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** Forgets everything when it is full, which costs less than to keep an order. */
  set(key: string, value: Value): void {
    if (this.#values.size >= this.#limit) this.#values.clear();
    this.#values.set(key, value);
  }
}
