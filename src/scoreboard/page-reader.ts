/**
 * Reads a page of the scoreboard. A page is a buffer that its worker, or its worker's app, may have filled with
 * anything: each count is bounded, each number finite, each text free of control characters. Pure: bytes in, data out.
 */
import { stripVTControlCharacters } from "node:util";
import {
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  MAX_KEY_BYTES,
  MAX_REQUESTS,
  MAX_SERIES,
  MAX_TARGET_BYTES,
  MAX_VALUES,
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
  VITALS,
  VITALS_OFFSET,
  type Vital,
} from "./layout.ts";
import { parseKey, type SeriesKey } from "./series-key.ts";
import type { Series } from "./series-table.ts";

export interface PageHeader {
  readonly isInUse: boolean;
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  readonly seriesCount: number;
  /** Milliseconds since the epoch; the start of the times of the page's requests. */
  readonly timeOrigin: number;
}

/** The header; undefined if the page is of another layout, or was never used. */
export function readHeader(page: Buffer): PageHeader | undefined {
  const u32 = (offset: number): number => page.readUInt32LE(offset);
  if (u32(HEADER.magic) !== MAGIC || u32(HEADER.version) !== LAYOUT_VERSION) return undefined;
  return {
    isInUse: u32(HEADER.inUse) === 1,
    pid: u32(HEADER.pid),
    slot: u32(HEADER.slot),
    generation: u32(HEADER.generation),
    seriesCount: Math.min(u32(HEADER.seriesCount), MAX_SERIES),
    timeOrigin: finite(page.readDoubleLE(HEADER.timeOrigin)),
  };
}

export type Vitals = Readonly<Record<Vital, number>>;

/** The worker's vitals; undefined before it has measured any. */
export function readVitals(page: Buffer): Vitals | undefined {
  const vitals = Object.fromEntries(
    VITALS.map((name, index) => [name, finite(page.readDoubleLE(VITALS_OFFSET + index * 8))]),
  ) as Vitals;
  return vitals.time === 0 ? undefined : vitals;
}

export interface RequestOnPage {
  readonly method: string;
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The requests in flight, oldest first. */
export function readRequests(page: Buffer): RequestOnPage[] {
  const timeOrigin = finite(page.readDoubleLE(HEADER.timeOrigin));
  const requests: RequestOnPage[] = [];
  for (let index = 0; index < MAX_REQUESTS; index++) {
    const at = REQUESTS_OFFSET + index * REQUEST_BYTES;
    if (page.readUInt32LE(at + REQUEST.inUse) === 0) continue;
    const length = Math.min(page.readUInt16LE(at + REQUEST.targetLength), MAX_TARGET_BYTES);
    const text = page.toString("latin1", at + REQUEST.target, at + REQUEST.target + length);
    requests.push({
      method: METHODS[page.readUInt8(at + REQUEST.method) & ~SECURE] ?? "_OTHER",
      // The parser lets no control character pass, but the app may write to the page.
      target: text.replace(CONTROL, "?"),
      startedAt: timeOrigin + finite(page.readDoubleLE(at + REQUEST.startedAt)),
    });
  }
  return requests.sort((one, other) => one.startedAt - other.startedAt);
}

/** More requests in flight than a process has descriptors for are no count. */
const MAX_UNLISTED = 1_000_000;

/**
 * How many requests are in flight, by method (an index in `METHODS`): those listed, and as others those without room.
 * Those that came with TLS follow after the others, in the same order.
 */
export function countRequests(page: Buffer): number[] {
  const counts = new Array<number>(2 * METHODS.length).fill(0);
  const add = (method: number, count: number): void => {
    const index = Math.min(method & ~SECURE, METHODS.length - 1) + (method & SECURE ? METHODS.length : 0);
    counts[index] = (counts[index] as number) + count;
  };
  for (let index = 0; index < MAX_REQUESTS; index++) {
    const at = REQUESTS_OFFSET + index * REQUEST_BYTES;
    if (page.readUInt32LE(at + REQUEST.inUse) !== 0) add(page.readUInt8(at + REQUEST.method), 1);
  }
  add(METHODS.length - 1, countUnlisted(page));
  return counts;
}

/** Requests in flight for which the page had no room. */
export function countUnlisted(page: Buffer): number {
  return Math.min(page.readUInt32LE(HEADER.unlistedRequests), MAX_UNLISTED);
}

/** When the oldest request in flight began, in milliseconds since the epoch; undefined if there is none. */
export function oldestRequest(page: Buffer): number | undefined {
  let oldest = Number.POSITIVE_INFINITY;
  for (let index = 0; index < MAX_REQUESTS; index++) {
    const at = REQUESTS_OFFSET + index * REQUEST_BYTES;
    if (page.readUInt32LE(at + REQUEST.inUse) !== 0)
      oldest = Math.min(oldest, finite(page.readDoubleLE(at + REQUEST.startedAt)));
  }
  return oldest === Number.POSITIVE_INFINITY
    ? undefined
    : finite(page.readDoubleLE(HEADER.timeOrigin)) + oldest;
}

/** The last lines that the worker's JavaScript wrote to standard error. */
export function readStderr(page: Buffer): string[] {
  const written = page.readUInt32LE(HEADER.stderrWritten);
  const ring = page.subarray(STDERR_OFFSET, STDERR_OFFSET + STDERR_BYTES);
  const end = written % STDERR_BYTES;
  // A counter that has wrapped around looks like a short text, but the ring beyond it is not empty then.
  const isWrapped = written >= STDERR_BYTES || ring[STDERR_BYTES - 1] !== 0;
  const bytes = isWrapped
    ? Buffer.concat([ring.subarray(end), ring.subarray(0, end)])
    : ring.subarray(0, end);
  const lines = withoutControls(bytes.toString("utf8")).split("\n");
  // The ring begins within a line.
  if (isWrapped && lines.length > 1) lines.shift();
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** A part of what a worker wrote to standard error. */
export interface StderrPiece {
  readonly bytes: Buffer;
  /** Bytes ever written, for the next call. */
  readonly written: number;
  /** Whether it is all since then; otherwise the beginning has been overwritten. */
  readonly isWhole: boolean;
}

/** The output of the worker's JavaScript to standard error since it had written `since` bytes. */
export function readStderrSince(page: Buffer, since: number): StderrPiece {
  const written = page.readUInt32LE(HEADER.stderrWritten);
  // The count wraps around.
  const added = (written - since) >>> 0;
  const size = Math.min(added, STDERR_BYTES);
  const ring = page.subarray(STDERR_OFFSET, STDERR_OFFSET + STDERR_BYTES);
  const start = ((written - size) >>> 0) % STDERR_BYTES;
  const bytes = Buffer.concat([
    ring.subarray(start, start + size),
    ring.subarray(0, Math.max(0, start + size - STDERR_BYTES)),
  ]);
  return { bytes, written, isWhole: added <= STDERR_BYTES };
}

/** The note: JSON of the worker's last words, not parsed; undefined for none. */
export function readNote(page: Buffer): string | undefined {
  const length = Math.min(page.readUInt32LE(HEADER.noteLength), NOTE_BYTES);
  return length === 0 ? undefined : page.toString("utf8", NOTE_OFFSET, NOTE_OFFSET + length);
}

/** The keys of a page's series, by index: a series keeps its key. */
export type KeyCache = (SeriesKey | undefined)[];

/** A page's series. @param keys of earlier readings of the same page; extended here */
export function readSeries(page: Buffer, keys: KeyCache = []): Series[] {
  const count = Math.min(page.readUInt32LE(HEADER.seriesCount), MAX_SERIES);
  return readSeriesAt(page, SERIES_OFFSET, count, "worker", keys);
}

/** @param offset of the first series in `bytes` */
export function readSeriesAt(
  bytes: Buffer,
  offset: number,
  count: number,
  of: "worker" | "totals",
  keys: KeyCache = [],
): Series[] {
  const found: Series[] = [];
  for (let index = 0; index < count; index++) {
    const at = offset + index * SERIES_BYTES;
    if (at + SERIES_BYTES > bytes.length) break;
    if (index >= keys.length) {
      const length = Math.min(bytes.readUInt16LE(at + SERIES.keyLength), MAX_KEY_BYTES);
      keys.push(parseKey(bytes.toString("latin1", at + SERIES.key, at + SERIES.key + length), of));
    }
    const key = keys[index];
    if (key === undefined) continue;
    const values = new Float64Array(MAX_VALUES);
    for (let value = 0; value < MAX_VALUES; value++)
      values[value] = counted(bytes.readDoubleLE(at + SERIES.values + value * 8));
    found.push({ key, values });
  }
  return found;
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Counts are not negative, and sums of them stay exact. */
function counted(value: number): number {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0;
}

const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;
const CONTROL_IN_LINES = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Text that moves no cursor: colours and other control characters are left out, tabs and newlines stay. */
export function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL_IN_LINES, "");
}
