/**
 * The memory of a worker's page, and how it gets into the file. A mapped page is the file: a store is all it takes. Until
 * then the page is ordinary memory, whose changed parts are written: at once where others must see them even if the
 * process ends in this turn of the event loop, else at the end of the turn.
 */
import { readSync, writeSync } from "node:fs";
import { PAGE_BYTES, VITALS, VITALS_OFFSET } from "./layout.ts";

const IS_MAPPED = VITALS_OFFSET + VITALS.indexOf("isMapped") * Float64Array.BYTES_PER_ELEMENT;

/** Makes the part of a file accessible as memory. */
export type MapFile = (descriptor: number, offset: number, length: number) => ArrayBuffer;

export class PageMemory {
  /** The same memory as bytes, as u32 and as f64. They change when the page is mapped. */
  bytes = Buffer.alloc(PAGE_BYTES);
  words = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, PAGE_BYTES / 4);
  floats = new Float64Array(this.bytes.buffer, this.bytes.byteOffset, PAGE_BYTES / 8);
  /** Whether a store is enough. */
  isMapped = false;
  readonly #descriptor: number;
  readonly #offset: number;
  /** Where the changed requests, and the changed series, begin and end. */
  #requestsFrom = PAGE_BYTES;
  #requestsTo = 0;
  #seriesFrom = PAGE_BYTES;
  #seriesTo = 0;
  #isScheduled = false;
  /** A write has failed, for want of room for example: the next one writes the whole page. */
  #hasGap = false;

  constructor(descriptor: number, offset: number) {
    this.#descriptor = descriptor;
    this.#offset = offset;
  }

  /** Writes a changed part now. */
  write(from: number, to: number): void {
    if (this.isMapped) return;
    const [start, end] = this.#hasGap ? [0, PAGE_BYTES] : [from, to];
    try {
      writeSync(this.#descriptor, this.bytes, start, end - start, this.#offset + start);
      this.#hasGap = false;
    } catch {
      this.#hasGap = true;
    }
  }

  /** A request's entry has changed: it is written at the end of the turn. */
  requestChanged(at: number, bytes: number): void {
    if (at < this.#requestsFrom) this.#requestsFrom = at;
    if (at + bytes > this.#requestsTo) this.#requestsTo = at + bytes;
    this.#schedule();
  }

  /** The same for a series. */
  seriesChanged(at: number, bytes: number): void {
    if (at < this.#seriesFrom) this.#seriesFrom = at;
    if (at + bytes > this.#seriesTo) this.#seriesTo = at + bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.isMapped) return;
    this.#isScheduled = true;
    setImmediate(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  /** Writes what has changed in this turn. The counts come first: a request must not vanish before it is counted. */
  flush(): void {
    if (this.#seriesTo > 0) this.write(this.#seriesFrom, this.#seriesTo);
    if (this.#requestsTo > 0) this.write(this.#requestsFrom, this.#requestsTo);
    this.#requestsFrom = PAGE_BYTES;
    this.#requestsTo = 0;
    this.#seriesFrom = PAGE_BYTES;
    this.#seriesTo = 0;
  }

  /**
   * Maps the page. If that fails, it goes on as before.
   *
   * @throws the reason
   */
  map(mapFile: MapFile): void {
    if (this.isMapped) return;
    // All of it, so that the file system has room for it: where it has none, a store would kill the process.
    writeAll(this.#descriptor, this.bytes, this.#offset);
    const mapped = mapFile(this.#descriptor, this.#offset, PAGE_BYTES);
    const bytes = Buffer.from(mapped);
    if (!bytes.equals(this.bytes)) throw new Error("the mapped page is not what was written");
    const floats = new Float64Array(mapped);
    floats[IS_MAPPED / Float64Array.BYTES_PER_ELEMENT] = 1;
    this.#verify(IS_MAPPED);
    this.bytes = bytes;
    this.floats = floats;
    this.words = new Uint32Array(mapped);
    this.isMapped = true;
  }

  /** Checks that `read` sees the store at this place. */
  #verify(at: number): void {
    const seen = Buffer.alloc(Float64Array.BYTES_PER_ELEMENT);
    readSync(this.#descriptor, seen, 0, seen.length, this.#offset + at);
    if (seen.readDoubleLE() === 1) return;
    writeAll(this.#descriptor, this.bytes, this.#offset);
    throw new Error("a store to the mapped page is not seen in the file");
  }
}

function writeAll(descriptor: number, bytes: Buffer, offset: number): void {
  let written = 0;
  while (written < bytes.length)
    written += writeSync(descriptor, bytes, written, bytes.length - written, offset + written);
}
