/**
 * The region of another arbiter, read while it may change: sums and pages belong together only if `sequence` is even and
 * the same before and after. If that takes too long, the last good reading stands, which may be a moment old.
 */
import type { BoardFile } from "./board-file.ts";
import {
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  MAX_PAGES,
  MAX_TOTALS_SERIES,
  PAGE_BYTES,
  pageOffset,
  regionOffset,
  SERIES_BYTES,
  SERIES_OFFSET,
  TOTALS_SERIES_OFFSET,
  VITALS_OFFSET,
} from "./layout.ts";
import {
  countRequests,
  oldestRequest,
  type PageHeader,
  type RequestOnPage,
  readHeader,
  readRequests,
  readSeries,
  readSeriesAt,
  readVitals,
  type Vitals,
} from "./page-reader.ts";
import type { Series } from "./series-table.ts";

/** A page as it was read, for sums and gauges. */
export interface PageCounts {
  readonly header: PageHeader;
  readonly vitals: Vitals | undefined;
  readonly series: readonly Series[];
  readonly inFlight: number;
  /** The same by method, as `countRequests` gives them. */
  readonly methods: readonly number[];
  /** When its oldest request in flight began, in milliseconds since the epoch. */
  readonly oldest: number | undefined;
}

export interface RegionReading {
  readonly totals: readonly Series[];
  /** The pages in use. */
  readonly pages: readonly PageCounts[];
}

const NOTHING: RegionReading = { totals: [], pages: [] };
/**
 * A busy machine may stop the other arbiter in the middle of a change, and a region of a thousand workers takes half of it.
 * An app, which can write there, has brought about whatever takes longer.
 */
const MAX_READ_MS = 200;
const TRY_INTERVAL_MS = 1;

/** Bytes of a page up to its series, and those of a few. */
const FIRST_READ_BYTES = SERIES_OFFSET + 64 * SERIES_BYTES;

/**
 * Reads a page into `scratch`, which holds `PAGE_BYTES`, as far as it is used.
 * @throws a system error
 */
export function readPageInto(file: BoardFile, offset: number, scratch: Buffer): void {
  // The header says all about a free page. Nothing of the page before may be taken for its own.
  file.read(scratch, offset, VITALS_OFFSET);
  if (readHeader(scratch)?.isInUse !== true) {
    scratch.fill(0, VITALS_OFFSET);
    return;
  }
  file.read(scratch, offset, FIRST_READ_BYTES);
  const count = readHeader(scratch)?.seriesCount ?? 0;
  const end = SERIES_OFFSET + count * SERIES_BYTES;
  if (end > FIRST_READ_BYTES) file.read(scratch.subarray(FIRST_READ_BYTES, end), offset + FIRST_READ_BYTES);
}

/** Takes from a page what is counted; undefined if no worker uses it. */
export function pageCounts(page: Buffer, keys?: Parameters<typeof readSeries>[1]): PageCounts | undefined {
  const header = readHeader(page);
  if (header?.isInUse !== true) return undefined;
  const methods = countRequests(page);
  return {
    header,
    vitals: readVitals(page),
    series: readSeries(page, keys),
    methods,
    inFlight: methods.reduce((sum, count) => sum + count, 0),
    oldest: oldestRequest(page),
  };
}

export class RegionReader {
  readonly #file: BoardFile;
  readonly #region: number;
  #last = NOTHING;

  constructor(file: BoardFile, region: number) {
    this.#file = file;
    this.#region = region;
  }

  /** The region as it is now. */
  read(): RegionReading {
    const deadline = performance.now() + MAX_READ_MS;
    for (;;) {
      const before = this.#header();
      if (before === undefined) return this.#last;
      const reading = before.sequence % 2 === 0 ? this.#readOnce(before, deadline) : undefined;
      const after = this.#header();
      if (reading !== undefined && after?.sequence === before.sequence && after.pages === before.pages) {
        this.#last = reading;
        return reading;
      }
      if (performance.now() > deadline) return this.#last;
      sleep(TRY_INTERVAL_MS);
    }
  }

  /** Reads it though it is between two changes: its arbiter has ended within one. */
  readAbandoned(): RegionReading {
    const header = this.#header();
    if (header === undefined) return this.#last;
    this.#last = this.#readOnce(header, performance.now() + MAX_READ_MS) ?? this.#last;
    return this.#last;
  }

  /** The requests in flight on a page of `pid`. */
  requestsOf(pid: number): RequestOnPage[] {
    const header = this.#header();
    const scratch = Buffer.alloc(PAGE_BYTES);
    for (let page = 0; page < (header?.pages ?? 0); page++) {
      readPageInto(this.#file, pageOffset(this.#region, page), scratch);
      const found = readHeader(scratch);
      if (found?.isInUse === true && found.pid === pid) return readRequests(scratch);
    }
    return [];
  }

  /** Makes the region nobody's. Call when its sums have been added to others. */
  clear(): void {
    this.#file.write(Buffer.alloc(TOTALS_SERIES_OFFSET), regionOffset(this.#region));
    this.#last = NOTHING;
  }

  #header(): { readonly sequence: number; readonly seriesCount: number; readonly pages: number } | undefined {
    const bytes = Buffer.alloc(64);
    this.#file.read(bytes, regionOffset(this.#region));
    if (bytes.readUInt32LE(HEADER.magic) !== MAGIC) return undefined;
    if (bytes.readUInt32LE(HEADER.version) !== LAYOUT_VERSION) return undefined;
    return {
      sequence: bytes.readUInt32LE(HEADER.sequence),
      seriesCount: Math.min(bytes.readUInt32LE(HEADER.seriesCount), MAX_TOTALS_SERIES),
      pages: Math.min(bytes.readUInt32LE(HEADER.pages), MAX_PAGES),
    };
  }

  /** @param deadline as in `performance.now()`; undefined is returned if it comes first */
  #readOnce(
    { seriesCount, pages }: { readonly seriesCount: number; readonly pages: number },
    deadline: number,
  ): RegionReading | undefined {
    const totals = Buffer.alloc(seriesCount * SERIES_BYTES);
    this.#file.read(totals, regionOffset(this.#region) + TOTALS_SERIES_OFFSET);
    const scratch = Buffer.alloc(PAGE_BYTES);
    const inUse: PageCounts[] = [];
    for (let page = 0; page < pages; page++) {
      if (performance.now() > deadline) return undefined;
      readPageInto(this.#file, pageOffset(this.#region, page), scratch);
      const counts = pageCounts(scratch);
      if (counts !== undefined) inUse.push(counts);
    }
    return { totals: readSeriesAt(totals, 0, seriesCount, "totals"), pages: inUse };
  }
}

/** Leaves the processor to the other arbiter. A turn of the loop would be too long for an answer. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
