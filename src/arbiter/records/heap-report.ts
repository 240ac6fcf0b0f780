/**
 * Node's own report on an exhausted V8 heap: the one sure sign of it, with what filled the heap. (It has no JavaScript
 * stack: on Node 20 to 26 that is "Unavailable" after such an error.)
 *
 * Node writes the environment into the report, and on Node 20 cannot be told not to. So no report has a name: all workers
 * inherit one unlinked file in memory, and write to it by its descriptor. It is emptied as soon as it is read.
 */
import { fchownSync, fstatSync, ftruncateSync, openSync, readSync, unlinkSync } from "node:fs";
import type { DeathRecord } from "../../records/death-record.ts";

const MAX_REPORT_BYTES = 4 * 1024 ** 2;

export type HeapReport = Pick<DeathRecord["memory"], "heapUsed" | "heapLimit" | "heapSpaces">;

/** V8's spaces as people know them. */
const SPACES: Readonly<Record<string, string>> = {
  new_space: "new space",
  old_space: "old space",
  code_space: "code",
  large_object_space: "large objects",
  new_large_object_space: "new large objects",
  code_large_object_space: "large code objects",
  trusted_space: "trusted space",
  trusted_large_object_space: "large trusted objects",
  shared_space: "shared space",
};

/**
 * Opens the file; undefined where there is no such folder in memory, or it cannot be written.
 *
 * @param owner the user of the workers, who open it again
 */
export function openReportFile(owner: number | undefined): number | undefined {
  const path = `/dev/shm/tsgun-report-${process.pid}-${Date.now().toString(36)}`;
  try {
    const descriptor = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    if (owner !== undefined) fchownSync(descriptor, owner, -1);
    return descriptor;
  } catch {
    return undefined;
  }
}

/** Reads the report of the dead worker `pid` and empties the file. Returns undefined if there is none of this worker. */
export function takeHeapReport(descriptor: number, pid: number): HeapReport | undefined {
  const size = Math.min(fstatSync(descriptor).size, MAX_REPORT_BYTES);
  if (size === 0) return undefined;
  const bytes = Buffer.allocUnsafe(size);
  const read = readSync(descriptor, bytes, 0, size, 0);
  const text = bytes.toString("utf8", 0, read);
  bytes.fill(0);
  ftruncateSync(descriptor, 0);
  return parseHeapReport(text, pid);
}

/** Returns undefined if the text is not the report of an exhausted heap of the process `pid`. */
export function parseHeapReport(text: string, pid: number): HeapReport | undefined {
  try {
    const { header, javascriptHeap: heap } = JSON.parse(text);
    if (header.trigger !== "OOMError" || header.processId !== pid) return undefined;
    const heapSpaces = Object.entries(SPACES)
      .map(([key, name]) => ({ name, bytes: figure(heap.heapSpaces?.[key]?.used) ?? 0 }))
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes);
    return { heapUsed: figure(heap.usedMemory), heapLimit: figure(heap.memoryLimit), heapSpaces };
  } catch {
    return undefined;
  }
}

function figure(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
