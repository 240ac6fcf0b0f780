/**
 * What all heads that are still arriving at a worker hold together. Each may be as large as the limits on its parts
 * allow, for as long as `--header-timeout`: hundreds of them would be the memory of the machine. Beyond the bound the
 * oldest of the large ones is refused, so that a client which sends its head as clients do is never the one.
 */

/** The bound, in bytes: a thousand heads of the size that nginx lets through. */
export const MAX_HEADS_BYTES = 32 * 1024 * 1024;

export class UnfinishedHeads<Connection> {
  readonly #most: number;
  readonly #refuse: (connection: Connection) => void;
  /** Bytes by connection; the oldest comes first. */
  readonly #sizes = new Map<Connection, number>();
  #held = 0;

  /** @param refuse refuses the head of a connection, of which nothing is held from then on */
  constructor(refuse: (connection: Connection) => void, most = MAX_HEADS_BYTES) {
    this.#refuse = refuse;
    this.#most = most;
  }

  /** Bytes held. */
  get heldBytes(): number {
    return this.#held;
  }

  /** A connection holds so much of a head that is not whole. */
  hold(connection: Connection, bytes: number): void {
    this.#held += bytes - (this.#sizes.get(connection) ?? 0);
    this.#sizes.set(connection, bytes);
    while (this.#held > this.#most) {
      const oldest = this.#oldestLarge();
      this.release(oldest);
      this.#refuse(oldest);
    }
  }

  /** It holds nothing any more. */
  release(connection: Connection): void {
    this.#held -= this.#sizes.get(connection) ?? 0;
    this.#sizes.delete(connection);
  }

  /** The oldest that holds its even share or more: there is one. */
  #oldestLarge(): Connection {
    const share = this.#held / this.#sizes.size;
    for (const [connection, bytes] of this.#sizes) if (bytes >= share) return connection;
    throw new Error("no head holds its share");
  }
}
