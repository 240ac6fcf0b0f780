/**
 * The last stage of a front: which protocol the connection speaks. TLS has agreed on it by ALPN; without TLS a client of
 * HTTP/2 begins with its preface (RFC 9113 section 3.4), which is no request of HTTP/1.1.
 */
import { PREFACE } from "../http2/frame-walker.ts";
import type { ConnectionFacts } from "./facts.ts";
import type { Addresses, Opening, OpeningStage } from "./opening.ts";
import { ClientLeft, Refusal } from "./refusal.ts";

export interface ProtocolChoice {
  /** Whether HTTP/1.1 is spoken. */
  readonly h1: boolean;
  /** Whether HTTP/2 is spoken without TLS. */
  readonly cleartext: boolean;
}

const ONLY_HTTP2 =
  "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  "Content-Length: 31\r\nConnection: close\r\n\r\nthis server speaks HTTP/2 only\n";

export function protocolChoice({ h1, cleartext }: ProtocolChoice): OpeningStage {
  return {
    open(_connection: Addresses, facts: ConnectionFacts): Opening | undefined {
      if (facts.protocol !== undefined) return undefined;
      // Without ALPN a client cannot know that this server speaks HTTP/2 (RFC 9113 section 3.2).
      if (facts.tls === undefined && cleartext) return new PrefaceOpening(facts, h1);
      if (!h1) refuse(facts);
      return undefined;
    },
  };
}

/** Compares until it is certain; the preface belongs to the session. */
class PrefaceOpening implements Opening {
  readonly #facts: ConnectionFacts;
  readonly #h1: boolean;

  constructor(facts: ConnectionFacts, h1: boolean) {
    this.#facts = facts;
    this.#h1 = h1;
    facts.isIdle = true;
    facts.waitsSince = performance.now();
  }

  read(bytes: Buffer): number | undefined {
    if (bytes.length > 0) this.#begun();
    // Nearly all requests of HTTP/1.1 show it by their first byte.
    const compared = bytes[0] === PREFACE[0] ? Math.min(bytes.length, PREFACE.length) : 0;
    if (compared > 0 && PREFACE.compare(bytes, 0, compared, 0, compared) === 0) {
      if (compared < PREFACE.length) return undefined;
      this.#facts.protocol = "h2";
    } else if (!this.#h1) refuse(this.#facts);
    return 0;
  }

  #begun(): void {
    const facts = this.#facts;
    if (facts.isIdle !== true) return;
    facts.isIdle = false;
    facts.waitsSince = performance.now();
  }

  ended(): Error {
    return new ClientLeft();
  }
}

function refuse({ tls }: ConnectionFacts): never {
  const how = tls === undefined ? "does not begin with its preface" : "has not chosen h2 by ALPN";
  throw new Refusal("protocol", `this server speaks HTTP/2 only, and the client ${how}`, {
    answer: ONLY_HTTP2,
  });
}
