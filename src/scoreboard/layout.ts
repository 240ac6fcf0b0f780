/**
 * The scoreboard: one unlinked file that the arbiters and workers of a server share. A worker maps its page of it (or,
 * without koffi, writes to it) and counts there; an arbiter reads all pages whenever it is asked. So nothing that a worker
 * has counted is lost with it, whatever ends it, and no blocked worker delays a report.
 *
 * The file has regions, one for each arbiter: during an upgrade two exist. A region has the arbiter's own page of totals,
 * and a page for each of its workers. Numbers are little-endian; all are aligned to their size.
 *
 *     region   totals page | worker page 0 | worker page 1 | …
 *     page     header | vitals | stderr tail | note | requests in flight | series
 *
 * Arbiters of different versions share the file only if they have the same `LAYOUT_VERSION`.
 */

export const MAGIC = 0x54534742;
/** Raise it with every change of this file, or of a metric's id or labels. */
export const LAYOUT_VERSION = 2;

/** Offsets in a page's header. u32 unless noted. */
export const HEADER = {
  magic: 0,
  version: 4,
  /** 0: the page is free. 1: a worker writes to it. */
  inUse: 8,
  pid: 12,
  slot: 16,
  generation: 20,
  /** Number of complete series; raised after the new one is complete. */
  seriesCount: 24,
  /** Requests in flight for which there was no entry. */
  unlistedRequests: 28,
  /** f64: the worker's `performance.timeOrigin`, to which the times of requests relate. */
  timeOrigin: 32,
  /** Bytes ever written to the stderr tail, modulo 2^32; the tail is a ring. */
  stderrWritten: 40,
  /** Length of the note: JSON of the worker's last words (an uncaught error, for example). */
  noteLength: 44,
  /** In a totals page: odd while the arbiter changes it or frees a page, so that a reader tries again. */
  sequence: 48,
  /** In a totals page: the number of worker pages that have ever been used. */
  pages: 52,
} as const;

export const VITALS_OFFSET = 64;
/** Leaves room for 120 vitals. */
export const STDERR_OFFSET = 1024;
export const STDERR_BYTES = 8192;
export const NOTE_OFFSET = STDERR_OFFSET + STDERR_BYTES;
export const NOTE_BYTES = 8192;

/** Requests in flight: 256 entries of 256 bytes. */
export const REQUESTS_OFFSET = NOTE_OFFSET + NOTE_BYTES;
export const REQUEST_BYTES = 256;
export const MAX_REQUESTS = 256;
/** Offsets in an entry. */
export const REQUEST = {
  /** u32: 0, the entry is free. Set after the rest. */
  inUse: 0,
  /** u16 */
  targetLength: 4,
  /** u8: index in `METHODS`, whose last stands for any other, and `SECURE`. */
  method: 6,
  /** f64: arrival, as in the worker's `performance.now()`. */
  startedAt: 8,
  /** Latin-1, cut to `MAX_TARGET_BYTES`. */
  target: 16,
} as const;
/** The request came with TLS. */
export const SECURE = 0x80;
export const MAX_TARGET_BYTES = REQUEST_BYTES - REQUEST.target;

/** Series: entries of 256 bytes. */
export const SERIES_OFFSET = REQUESTS_OFFSET + MAX_REQUESTS * REQUEST_BYTES;
export const SERIES_BYTES = 256;
/** Offsets in an entry. */
export const SERIES = {
  /** u16 */
  keyLength: 0,
  /** Latin-1: see `metrics.ts`. */
  key: 8,
  /** 16 f64: a counter or gauge has one; a histogram has 14 buckets (not cumulative), the rest above, and the sum. */
  values: 128,
} as const;
export const MAX_KEY_BYTES = SERIES.values - SERIES.key;
export const MAX_VALUES = 16;

/** A multiple of the largest page size of a machine (64 KiB), since a mapping begins at one. */
export const PAGE_BYTES = 3 * 65_536;
export const MAX_SERIES = Math.floor((PAGE_BYTES - SERIES_OFFSET) / SERIES_BYTES);

/** The arbiter's page of totals has only a header and series. */
export const TOTALS_SERIES_OFFSET = 4096;
export const MAX_TOTALS_SERIES = 2048;
const TOTALS_BYTES = 9 * 65_536;

export const MAX_PAGES = 4096;
export const REGION_BYTES = TOTALS_BYTES + MAX_PAGES * PAGE_BYTES;
/** An arbiter takes the region after its predecessor's, and the first one after the last. */
export const MAX_REGIONS = 4;

/** Where a region begins in the file. */
export function regionOffset(region: number): number {
  return region * REGION_BYTES;
}

/** Where a worker's page begins in the file. */
export function pageOffset(region: number, page: number): number {
  return regionOffset(region) + TOTALS_BYTES + page * PAGE_BYTES;
}

/** The methods that a metric names (OpenTelemetry, HTTP semantic conventions). */
export const METHODS = [
  "GET",
  "POST",
  "HEAD",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "CONNECT",
  "TRACE",
  "_OTHER",
] as const;

/**
 * Values that a worker measures of itself once a second, as f64 in this order. Cumulative ones say so; times are milliseconds,
 * sizes bytes.
 */
export const VITALS = [
  /** When they were measured, in milliseconds since the epoch. */
  "time",
  "connectionsActive",
  "connectionsIdle",
  "connectionsUpgraded",
  /** Cumulative: connections accepted. */
  "connectionsAccepted",
  "requestsInFlight",
  /** Cumulative: time that the event loop was busy, and idle. */
  "loopActive",
  "loopIdle",
  /** How late the loop ran its timers in the last second. */
  "loopDelayP50",
  "loopDelayP90",
  "loopDelayP99",
  "loopDelayMax",
  /** Cumulative: time in garbage collections, and their number. */
  "gcMinor",
  "gcMajor",
  "gcIncremental",
  "gcWeakCallback",
  "gcMinorCount",
  "gcMajorCount",
  "heapUsed",
  "heapTotal",
  "heapLimit",
  "heapOld",
  "heapNew",
  "heapLarge",
  "heapCode",
  "external",
  "arrayBuffers",
  "rss",
  /** Cumulative: CPU time of the process. */
  "cpuUser",
  "cpuSystem",
  "openDescriptors",
  /** Requests that wait for a place of `--max-in-flight`; part of those in flight. */
  "requestsWaiting",
  /** 1 once `read` shows a mapped page; 0 while the worker writes to the file. */
  "isMapped",
] as const;

export type Vital = (typeof VITALS)[number];
