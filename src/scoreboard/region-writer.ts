/**
 * The region of this arbiter: it gives pages to workers, adds up what remains of those that have ended, and writes the
 * sums where another arbiter can read them. What changes together stands between two changes of `sequence`.
 */
import type { BoardFile } from "./board-file.ts";
import {
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  MAX_PAGES,
  MAX_TOTALS_SERIES,
  MAX_VALUES,
  PAGE_BYTES,
  pageOffset,
  regionOffset,
  SERIES,
  SERIES_BYTES,
  TOTALS_SERIES_OFFSET,
} from "./layout.ts";
import type { Series } from "./series-table.ts";

export class RegionWriter {
  readonly #file: BoardFile;
  readonly #region: number;
  readonly #used = new Set<number>();
  /** Where each series stands. */
  readonly #positions = new Map<string, number>();
  #sequence = 0;
  #pages = 0;

  constructor(file: BoardFile, region: number) {
    this.#file = file;
    this.#region = region;
  }

  get region(): number {
    return this.#region;
  }

  /**
   * Makes the region this arbiter's. Call it again with all sums to repair what an app may have written there.
   * @throws a system error
   */
  begin(pid: number, sums: Iterable<Series> = []): void {
    const header = Buffer.alloc(TOTALS_SERIES_OFFSET);
    header.writeUInt32LE(MAGIC, HEADER.magic);
    header.writeUInt32LE(LAYOUT_VERSION, HEADER.version);
    header.writeUInt32LE(1, HEADER.inUse);
    header.writeUInt32LE(pid, HEADER.pid);
    header.writeUInt32LE(++this.#sequence, HEADER.sequence);
    header.writeUInt32LE(this.#pages, HEADER.pages);
    this.#file.write(header, regionOffset(this.#region));
    this.#write(sums);
    this.#file.writeU32(++this.#sequence, regionOffset(this.#region) + HEADER.sequence);
  }

  /**
   * Gives a page to a worker: a free one, all zeros but its header. It is written as a whole, so that a full file system
   * fails here, and does not kill the worker that maps the page.
   *
   * @throws a system error, or an Error if all pages are taken
   */
  allocate(slot: number, generation: number): number {
    let page = 0;
    while (this.#used.has(page)) page++;
    if (page >= MAX_PAGES) throw new Error(`all ${MAX_PAGES} pages are in use`);
    const bytes = Buffer.alloc(PAGE_BYTES);
    bytes.writeUInt32LE(MAGIC, HEADER.magic);
    bytes.writeUInt32LE(LAYOUT_VERSION, HEADER.version);
    bytes.writeUInt32LE(slot, HEADER.slot);
    bytes.writeUInt32LE(generation, HEADER.generation);
    bytes.writeUInt32LE(1, HEADER.inUse);
    this.#file.write(bytes, this.offsetOf(page));
    this.#used.add(page);
    if (page >= this.#pages) {
      this.#pages = page + 1;
      this.#file.writeU32(this.#pages, regionOffset(this.#region) + HEADER.pages);
    }
    return page;
  }

  offsetOf(page: number): number {
    return pageOffset(this.#region, page);
  }

  /**
   * Writes sums that have changed, and frees a page that they now contain. The page is free for this arbiter whatever
   * fails.
   *
   * @throws a system error
   */
  commit(changed: Iterable<Series>, freed?: number): void {
    const at = regionOffset(this.#region);
    if (freed !== undefined) this.#used.delete(freed);
    this.#file.writeU32(++this.#sequence, at + HEADER.sequence);
    try {
      this.#write(changed);
      if (freed !== undefined) this.#file.writeU32(0, this.offsetOf(freed) + HEADER.inUse);
    } finally {
      this.#file.writeU32(++this.#sequence, at + HEADER.sequence);
    }
  }

  #write(changed: Iterable<Series>): void {
    for (const series of changed) this.#writeOne(series);
    this.#file.writeU32(this.#positions.size, regionOffset(this.#region) + HEADER.seriesCount);
  }

  #writeOne({ key, values }: Series): void {
    const position = this.#positions.get(key.text) ?? this.#positions.size;
    if (position >= MAX_TOTALS_SERIES) return;
    const bytes = Buffer.alloc(SERIES_BYTES);
    const length = bytes.write(key.text, SERIES.key, SERIES.values - SERIES.key, "latin1");
    bytes.writeUInt16LE(length, SERIES.keyLength);
    for (let index = 0; index < MAX_VALUES; index++)
      bytes.writeDoubleLE(values[index] as number, SERIES.values + index * 8);
    this.#file.write(bytes, regionOffset(this.#region) + TOTALS_SERIES_OFFSET + position * SERIES_BYTES);
    this.#positions.set(key.text, position);
  }
}
