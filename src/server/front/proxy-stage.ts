/**
 * The first stage of a front: the PROXY header. A peer that is allowed to send one must; any other is its own client, and
 * what it sends is never read as a header. Whether there is one is not guessed (section 2 of the specification): a balancer
 * that forgot it would be taken for the client, and a client that may leave it out may also forge it.
 */
import { ConnectionEndpoints } from "../../exchange/endpoint.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import type { Endpoint } from "../../gateway/types.ts";
import type { ConnectionFacts } from "./facts.ts";
import type { Addresses, Opening, OpeningStage } from "./opening.ts";
import { type AcceptedVersions, type ProxyHeader, readProxyHeader } from "./proxy-header.ts";
import { ClientLeft, Refusal } from "./refusal.ts";

export interface ProxyStageOptions {
  readonly versions: AcceptedVersions;
  /** The peers that send headers. */
  readonly rules: Pick<ProxyRules, "trusts">;
}

export class ProxyStage implements OpeningStage {
  readonly #options: ProxyStageOptions;

  constructor(options: ProxyStageOptions) {
    this.#options = options;
  }

  open(connection: Addresses, facts: ConnectionFacts): Opening | undefined {
    const { versions, rules } = this.#options;
    const { peer: balancer } = new ConnectionEndpoints(connection, facts);
    // Without an address it cannot be told whether it is allowed; it has closed.
    if (balancer.family !== "unix" && balancer.address === "") throw new ClientLeft();
    return rules.trusts(balancer) ? new HeaderOpening(balancer, versions, facts) : undefined;
  }
}

class HeaderOpening implements Opening {
  readonly #balancer: Endpoint;
  readonly #versions: AcceptedVersions;
  readonly #facts: ConnectionFacts;

  constructor(balancer: Endpoint, versions: AcceptedVersions, facts: ConnectionFacts) {
    this.#balancer = balancer;
    this.#versions = versions;
    this.#facts = facts;
  }

  read(bytes: Buffer): number | undefined {
    const header = this.#header(bytes);
    if (header === undefined) return undefined;
    const { version, length, peer, local, tlvs, tls } = header;
    const facts = this.#facts;
    facts.proxy = { version, balancer: this.#balancer, tlvs, tls };
    if (peer !== undefined) facts.peer = peer;
    if (local !== undefined) facts.local = local;
    return length;
  }

  #header(bytes: Buffer): ProxyHeader | undefined {
    try {
      return readProxyHeader(bytes, this.#versions);
    } catch (error) {
      throw this.#refusal((error as Error).message);
    }
  }

  ended(hasSent: boolean): Error {
    return hasSent ? this.#refusal("ended within its PROXY header") : new ClientLeft();
  }

  #refusal(what: string): Refusal {
    const { family, address } = this.#balancer;
    const from = family === "unix" ? "a Unix socket" : address;
    return new Refusal("proxy_header", `the connection from ${from} ${what}`);
  }
}
