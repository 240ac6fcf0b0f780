/**
 * A worker's page of the scoreboard, as the worker writes it. One that is mapped costs a request a few stores. Nothing
 * here throws: without its page a worker serves all the same.
 */
import {
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  MAX_KEY_BYTES,
  MAX_REQUESTS,
  MAX_SERIES,
  MAX_TARGET_BYTES,
  METHODS,
  NOTE_BYTES,
  NOTE_OFFSET,
  REQUEST,
  REQUEST_BYTES,
  REQUESTS_OFFSET,
  SECURE,
  SERIES,
  SERIES_BYTES,
  SERIES_OFFSET,
  STDERR_BYTES,
  STDERR_OFFSET,
  VITALS_OFFSET,
} from "./layout.ts";
import { type MapFile, PageMemory } from "./page-memory.ts";

/** The worker that a page belongs to. */
export interface PageOwner {
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  /** As of `performance`. */
  readonly timeOrigin: number;
}

/** A series on the page, for the methods that count: the index of its first value. */
export type SeriesHandle = number;

/** There is no room for another series. */
export const NO_SERIES: SeriesHandle = -1;

/** The request has no entry. */
export const UNLISTED = -1;

const F64 = Float64Array.BYTES_PER_ELEMENT;
const U32 = Uint32Array.BYTES_PER_ELEMENT;

/** Where a histogram keeps the sum of what it has observed, after its buckets. */
export const SUM = 15;

const OTHER_METHOD = METHODS.length - 1;

/** Works without the checks of `write`, which cost more than the copy. */
type Latin1Buffer = Buffer & { latin1Write(text: string, offset: number, bytes: number): number };

/** The index of a method in `METHODS`. */
export function methodIndex(method: string): number {
  if (method === "GET") return 0;
  const index = (METHODS as readonly string[]).indexOf(method);
  return index === -1 ? OTHER_METHOD : index;
}

export class PageWriter {
  readonly #memory: PageMemory;
  readonly #series = new Map<string, SeriesHandle>();
  #seriesCount = 0;
  /** The free entries, as a stack: those used last are in the processor's cache. */
  readonly #free = Uint16Array.from({ length: MAX_REQUESTS }, (_, index) => MAX_REQUESTS - 1 - index);
  #freeCount = MAX_REQUESTS;
  #requestsInFlight = 0;
  #stderrWritten = 0;

  /**
   * @param descriptor of a file that is open for reading and writing
   * @param offset where the page begins; all of it is zero
   */
  constructor(descriptor: number, offset: number, owner: PageOwner) {
    this.#memory = new PageMemory(descriptor, offset);
    const { words, floats } = this.#memory;
    words[HEADER.magic / U32] = MAGIC;
    words[HEADER.version / U32] = LAYOUT_VERSION;
    words[HEADER.pid / U32] = owner.pid;
    words[HEADER.slot / U32] = owner.slot;
    words[HEADER.generation / U32] = owner.generation;
    floats[HEADER.timeOrigin / F64] = owner.timeOrigin;
    words[HEADER.inUse / U32] = 1;
    this.#memory.write(0, VITALS_OFFSET);
  }

  get isMapped(): boolean {
    return this.#memory.isMapped;
  }

  get requestsInFlight(): number {
    return this.#requestsInFlight;
  }

  /**
   * From now on a store is all that counting takes.
   * @throws the reason why it stays as it was
   */
  map(mapFile: MapFile): void {
    this.#memory.map(mapFile);
  }

  /** Writes what has changed in this turn. Call before the process ends. */
  flush(): void {
    this.#memory.flush();
  }

  // ---- requests in flight

  /**
   * A request is about to be given to the app. Returns the number of its entry, for `endRequest`.
   * @param startedAt as in `performance.now()`
   * @param isSecure whether it came with TLS
   */
  beginRequest(method: string, target: string, startedAt: number, isSecure = false): number {
    const memory = this.#memory;
    this.#requestsInFlight += 1;
    if (this.#freeCount === 0) {
      (memory.words[HEADER.unlistedRequests / U32] as number) += 1;
      memory.write(HEADER.unlistedRequests, HEADER.unlistedRequests + U32);
      return UNLISTED;
    }
    this.#freeCount -= 1;
    const entry = this.#free[this.#freeCount] as number;
    const at = REQUESTS_OFFSET + entry * REQUEST_BYTES;
    const { words } = memory;
    const length = (memory.bytes as Latin1Buffer).latin1Write(target, at + REQUEST.target, MAX_TARGET_BYTES);
    memory.floats[(at + REQUEST.startedAt) / F64] = startedAt;
    // The length and the method are one word.
    const methodByte = isSecure ? methodIndex(method) | SECURE : methodIndex(method);
    words[(at + REQUEST.targetLength) / U32] = length | (methodByte << 16);
    words[(at + REQUEST.inUse) / U32] = 1;
    if (!memory.isMapped) memory.write(at, at + REQUEST.target + length);
    return entry;
  }

  /** The target of a request that has not ended, cut to what the page holds; "" if it has no entry. */
  targetOf(entry: number): string {
    if (entry === UNLISTED) return "";
    const { words, bytes } = this.#memory;
    const at = REQUESTS_OFFSET + entry * REQUEST_BYTES;
    const length = (words[(at + REQUEST.targetLength) / U32] as number) & 0xffff;
    return bytes.toString("latin1", at + REQUEST.target, at + REQUEST.target + length);
  }

  endRequest(entry: number): void {
    const memory = this.#memory;
    this.#requestsInFlight -= 1;
    if (entry === UNLISTED) {
      (memory.words[HEADER.unlistedRequests / U32] as number) -= 1;
      memory.write(HEADER.unlistedRequests, HEADER.unlistedRequests + U32);
      return;
    }
    const at = REQUESTS_OFFSET + entry * REQUEST_BYTES;
    memory.words[(at + REQUEST.inUse) / U32] = 0;
    this.#free[this.#freeCount] = entry;
    this.#freeCount += 1;
    if (!memory.isMapped) memory.requestChanged(at, REQUEST.target);
  }

  // ---- series

  /** Finds a series, or adds it. Returns `NO_SERIES` if there is no room for it, or its key is too long. */
  series(key: string): SeriesHandle {
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#seriesCount === MAX_SERIES || key.length > MAX_KEY_BYTES) return NO_SERIES;
    const memory = this.#memory;
    const at = SERIES_OFFSET + this.#seriesCount * SERIES_BYTES;
    memory.bytes.writeUInt16LE(key.length, at + SERIES.keyLength);
    (memory.bytes as Latin1Buffer).latin1Write(key, at + SERIES.key, MAX_KEY_BYTES);
    const handle = (at + SERIES.values) / F64;
    this.#series.set(key, handle);
    this.#seriesCount += 1;
    memory.write(at, at + SERIES_BYTES);
    memory.words[HEADER.seriesCount / U32] = this.#seriesCount;
    memory.write(0, VITALS_OFFSET);
    return handle;
  }

  /** How many more series there is room for. */
  get seriesLeft(): number {
    return MAX_SERIES - this.#seriesCount;
  }

  /** Adds one to a counter. */
  increment(handle: SeriesHandle): void {
    if (handle === NO_SERIES) return;
    const memory = this.#memory;
    (memory.floats[handle] as number) += 1;
    if (!memory.isMapped) memory.seriesChanged(handle * F64, F64);
  }

  /** Adds a value to a histogram. @param bucket its index; the one after the last bound is for all above */
  observe(handle: SeriesHandle, bucket: number, value: number): void {
    if (handle === NO_SERIES) return;
    const memory = this.#memory;
    const { floats } = memory;
    (floats[handle + bucket] as number) += 1;
    (floats[handle + SUM] as number) += value;
    if (!memory.isMapped) memory.seriesChanged(handle * F64, (SUM + 1) * F64);
  }

  // ---- the worker itself

  /** Writes what the worker has measured of itself; `isMapped` is not part of it. @param index in `VITALS` of the first value */
  writeVitals(values: Float64Array, index = 0): void {
    const memory = this.#memory;
    const at = VITALS_OFFSET + index * F64;
    memory.floats.set(values, at / F64);
    memory.write(at, at + values.length * F64);
  }

  /** Adds to the tail of standard error. */
  appendStderr(output: string | Uint8Array): void {
    const memory = this.#memory;
    const all = typeof output === "string" ? Buffer.from(output) : output;
    const bytes = all.subarray(Math.max(0, all.length - STDERR_BYTES));
    // Bytes that would be overwritten at once count as written.
    this.#stderrWritten += all.length - bytes.length;
    const start = this.#stderrWritten % STDERR_BYTES;
    const head = bytes.subarray(0, STDERR_BYTES - start);
    const rest = bytes.subarray(head.length);
    memory.bytes.set(head, STDERR_OFFSET + start);
    memory.bytes.set(rest, STDERR_OFFSET);
    // A multiple of the ring's length is left of the number when it wraps.
    this.#stderrWritten = (this.#stderrWritten + bytes.length) % 2 ** 32;
    memory.words[HEADER.stderrWritten / U32] = this.#stderrWritten;
    memory.write(STDERR_OFFSET + start, STDERR_OFFSET + start + head.length);
    if (rest.length > 0) memory.write(STDERR_OFFSET, STDERR_OFFSET + rest.length);
    memory.write(0, VITALS_OFFSET);
  }

  /** Leaves the worker's last words. The first ones stand: what follows from them says less. */
  leaveNote(words: Note): void {
    const memory = this.#memory;
    if (memory.words[HEADER.noteLength / U32] !== 0) return;
    const note = boundedNote(words);
    memory.bytes.set(note, NOTE_OFFSET);
    memory.write(NOTE_OFFSET, NOTE_OFFSET + note.length);
    memory.words[HEADER.noteLength / U32] = note.length;
    memory.write(0, VITALS_OFFSET);
  }
}

/** The last words of a worker: an error, or the call that ends it. */
export interface Note {
  readonly kind: string;
  readonly message: string;
  readonly stack: string | null;
}

/** The note as JSON, cut so that it has room. */
function boundedNote({ message, stack, ...rest }: Note): Buffer {
  for (let limit = NOTE_BYTES; ; limit = Math.floor(limit / 2)) {
    const cut = { ...rest, message: message.slice(0, limit), stack: stack?.slice(0, limit) ?? null };
    const note = Buffer.from(JSON.stringify(cut));
    if (note.length <= NOTE_BYTES) return note;
  }
}
