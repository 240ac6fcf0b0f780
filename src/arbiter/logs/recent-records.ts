/** The last records of a kind, for those who ask or follow: each has a number, so that a client can go on after one. */

/** A record of the control interface: `number` counts from 1, `time` is ISO 8601. */
interface NumberedRecord {
  readonly number: number;
  readonly time: string;
}

export class RecentRecords<T extends NumberedRecord> {
  readonly #most: number;
  readonly #kept: T[] = [];
  readonly #followers = new Set<(record: T) => void>();
  #last = 0;

  /** @param most how many are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  /** Adds a record of now, and returns it with its number and time. */
  add(facts: Omit<T, keyof NumberedRecord>): T {
    const record = { number: ++this.#last, time: new Date().toISOString(), ...facts } as T;
    this.#kept.push(record);
    if (this.#kept.length > this.#most) this.#kept.shift();
    for (const follower of this.#followers) follower(record);
    return record;
  }

  /** The records that are kept after number `after`, oldest first. */
  since(after = 0): T[] {
    return this.#kept.filter(({ number }) => number > after);
  }

  /** Calls `follower` with each record from now on; returns what ends that. */
  follow(follower: (record: T) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
