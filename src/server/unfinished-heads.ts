/**
 * Limits the memory of all incomplete heads of a worker together. Each may be as large as its own limits allow, for up
 * to `--header-timeout`, so hundreds of them could exhaust the machine's memory. Beyond the limit the oldest of the
 * large ones is refused, so that an ordinary client never is.
 */

/** A thousand heads of the maximum size that nginx forwards. */
export const MAX_HEADS_BYTES = 32 * 1024 * 1024;

export class UnfinishedHeads<Connection> {
  readonly #maxBytes: number;
  readonly #refuse: (connection: Connection) => void;
  /** Bytes by connection, the oldest first. */
  readonly #sizes = new Map<Connection, number>();
  #heldBytes = 0;

  /** @param refuse refuses the head of a connection, which then holds nothing */
  constructor(refuse: (connection: Connection) => void, maxBytes = MAX_HEADS_BYTES) {
    this.#refuse = refuse;
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Sets the bytes of an incomplete head that a connection holds. */
  hold(connection: Connection, bytes: number): void {
    this.#heldBytes += bytes - (this.#sizes.get(connection) ?? 0);
    this.#sizes.set(connection, bytes);
    while (this.#heldBytes > this.#maxBytes) {
      const oldest = this.#oldestLarge();
      this.release(oldest);
      this.#refuse(oldest);
    }
  }

  /** The connection no longer holds a head. */
  release(connection: Connection): void {
    this.#heldBytes -= this.#sizes.get(connection) ?? 0;
    this.#sizes.delete(connection);
  }

  /** The oldest connection with at least the average; there always is one. */
  #oldestLarge(): Connection {
    const share = this.#heldBytes / this.#sizes.size;
    for (const [connection, bytes] of this.#sizes) if (bytes >= share) return connection;
    throw new Error("no connection holds a head");
  }
}
