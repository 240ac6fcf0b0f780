/** A page of the scoreboard in a file of its own, and what `read` sees of it. */
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  HEADER,
  MAX_REQUESTS,
  METHODS,
  NOTE_OFFSET,
  PAGE_BYTES,
  pageOffset,
  REQUEST,
  REQUEST_BYTES,
  REQUESTS_OFFSET,
  SERIES,
  SERIES_BYTES,
  SERIES_OFFSET,
  STDERR_BYTES,
  STDERR_OFFSET,
  VITALS,
  VITALS_OFFSET,
  type Vital,
} from "../../src/scoreboard/layout.ts";
import { type Note, PageWriter, SUM } from "../../src/scoreboard/page-writer.ts";
import { cleanUp, temporaryFolder } from "./command.ts";

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly startedAt: number;
}

export class BoardPage {
  readonly descriptor: number;
  /** The second page: the offset must not be nothing. */
  readonly offset = pageOffset(0, 1);

  constructor(context: TestContext) {
    const path = join(temporaryFolder(context), "board");
    this.descriptor = openSync(path, "w+");
    rmSync(path);
    ftruncateSync(this.descriptor, this.offset + PAGE_BYTES);
    cleanUp(context, () => closeSync(this.descriptor));
  }

  writer(): PageWriter {
    return new PageWriter(this.descriptor, this.offset, { pid: 7, slot: 2, generation: 3, timeOrigin: 1000 });
  }

  read(): Buffer {
    const bytes = Buffer.alloc(PAGE_BYTES);
    readSync(this.descriptor, bytes, 0, PAGE_BYTES, this.offset);
    return bytes;
  }

  header(name: Exclude<keyof typeof HEADER, "timeOrigin">): number {
    return this.read().readUInt32LE(HEADER[name]);
  }

  vital(name: Vital): number {
    return this.read().readDoubleLE(VITALS_OFFSET + VITALS.indexOf(name) * 8);
  }

  /** The requests in flight, in the order of their entries. */
  requests(): SeenRequest[] {
    const page = this.read();
    const seen: SeenRequest[] = [];
    for (let at = REQUESTS_OFFSET; at < REQUESTS_OFFSET + MAX_REQUESTS * REQUEST_BYTES; at += REQUEST_BYTES) {
      if (page.readUInt32LE(at + REQUEST.inUse) === 0) continue;
      const length = page.readUInt16LE(at + REQUEST.targetLength);
      seen.push({
        method: METHODS[page.readUInt8(at + REQUEST.method)] as string,
        target: page.toString("latin1", at + REQUEST.target, at + REQUEST.target + length),
        startedAt: page.readDoubleLE(at + REQUEST.startedAt),
      });
    }
    return seen;
  }

  /** The values of each series by its key: of histograms the counts and the sum, of counters the first one. */
  series(): Map<string, { readonly counts: readonly number[]; readonly sum: number }> {
    const page = this.read();
    const all = new Map<string, { counts: number[]; sum: number }>();
    for (let index = 0; index < page.readUInt32LE(HEADER.seriesCount); index += 1) {
      const at = SERIES_OFFSET + index * SERIES_BYTES;
      const length = page.readUInt16LE(at + SERIES.keyLength);
      const key = page.toString("latin1", at + SERIES.key, at + SERIES.key + length);
      const values = Array.from({ length: 16 }, (_, value) =>
        page.readDoubleLE(at + SERIES.values + value * 8),
      );
      all.set(key, { counts: values.slice(0, SUM), sum: values[SUM] as number });
    }
    return all;
  }

  /** How often each series has been counted: the first value of counters, the sum of a histogram's counts. */
  counts(): { [key: string]: number } {
    return Object.fromEntries(
      [...this.series()].map(([key, { counts }]) => [key, counts.reduce((sum, count) => sum + count, 0)]),
    );
  }

  stderr(): string {
    const page = this.read();
    const written = page.readUInt32LE(HEADER.stderrWritten);
    const ring = page.subarray(STDERR_OFFSET, STDERR_OFFSET + STDERR_BYTES);
    if (written <= STDERR_BYTES) return ring.toString("utf8", 0, written);
    const start = written % STDERR_BYTES;
    return Buffer.concat([ring.subarray(start), ring.subarray(0, start)]).toString();
  }

  note(): Note | undefined {
    const page = this.read();
    const length = page.readUInt32LE(HEADER.noteLength);
    return length === 0 ? undefined : JSON.parse(page.toString("utf8", NOTE_OFFSET, NOTE_OFFSET + length));
  }
}

/** Whether a worker has mapped its page; only Linux tells. */
export function hasMappedPage(worker: number): boolean {
  return /\/tsgun-.*\(deleted\)/.test(readFileSync(`/proc/${worker}/maps`, "utf8"));
}
