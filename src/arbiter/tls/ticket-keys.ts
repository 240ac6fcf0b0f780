/**
 * The keys of TLS session tickets, which all workers share: a client resumes its session on any of them, and across a
 * reload. They are never written anywhere. A new arbiter makes new ones, so the first handshake after it is a full one.
 */
import { randomBytes } from "node:crypto";

/** Name, HMAC key and AES key (RFC 5077 section 4), as Node takes them. */
const LENGTH = 48;

/**
 * A thief of the keys can read what was sent in sessions of TLS 1.2 that were resumed by them, so they do not last. Sessions
 * end after five minutes (Node's default), so few clients notice.
 */
const LIFETIME_MS = 12 * 3_600_000;

export class TicketKeys {
  readonly #now: () => number;
  #keys = newKeys();
  #madeAt: number;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now;
    this.#madeAt = now();
  }

  /** In base64. */
  get current(): string {
    return this.#keys;
  }

  /** Returns new keys once the current ones are old, for the workers that have those. Call now and then. */
  review(): string | undefined {
    if (this.#now() - this.#madeAt < LIFETIME_MS) return undefined;
    this.#keys = newKeys();
    this.#madeAt = this.#now();
    return this.#keys;
  }
}

function newKeys(): string {
  return randomBytes(LENGTH).toString("base64");
}
