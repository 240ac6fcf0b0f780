/** The received part of a head that arrives in pieces, or was refused. */

/** Initial memory, so that a head which arrives in small pieces is not copied again and again. */
const MIN_CAPACITY_BYTES = 1024;

export class HeadBuffer {
  #bytes: Buffer;
  #length: number;

  /** Copies `chunk[start..end)`. */
  constructor(chunk: Buffer, start: number, end: number) {
    this.#length = end - start;
    this.#bytes = Buffer.allocUnsafe(Math.max(MIN_CAPACITY_BYTES, this.#length * 2));
    chunk.copy(this.#bytes, 0, start, end);
  }

  /** The memory; only the first `length` bytes are valid. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Appends a copy of `chunk[start..end)`. */
  append(chunk: Buffer, start: number, end: number): void {
    const length = this.#length + (end - start);
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(length * 2);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    chunk.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
  }

  /** The first bytes as Latin-1, at most `max`. */
  text(max: number): string {
    return this.#bytes.toString("latin1", 0, Math.min(this.#length, max));
  }
}
