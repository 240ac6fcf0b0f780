/**
 * How long a connection is still read from after its last response, so that no reset overtakes the response (RFC 9112
 * section 9.6): until the client has been silent for a while, up to a maximum. The amount it sends does not matter: a
 * proxy that forwards a large upload reads the response only when it cannot write any more, and reports a broken
 * connection as no response.
 */

const LINGER_SILENCE_MS = 2000;
const LINGER_MAX_MS = 30_000;

export class Linger {
  readonly #until: number;
  #deadline: number;

  /** @param now the server's time when the response was sent or the client refused */
  constructor(now: number) {
    this.#until = now + LINGER_MAX_MS;
    this.#deadline = now + LINGER_SILENCE_MS;
  }

  /** When to destroy the connection, in the server's time. */
  get deadline(): number {
    return this.#deadline;
  }

  /** For how long it has lasted. */
  age(now: number): number {
    return now - (this.#until - LINGER_MAX_MS);
  }

  /** The client has sent something. */
  received(now: number): void {
    this.#deadline = Math.min(this.#until, now + LINGER_SILENCE_MS);
  }
}
