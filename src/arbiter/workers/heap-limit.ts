/**
 * V8's heap limit of a worker (`--max-old-space`). Node derives one from the memory of the control group, but as if the
 * process were alone in it; `auto` shares that memory among the workers that there are at a time: those wanted, and those
 * that a reload starts beyond them.
 */
import type { Config } from "../../config/settings.ts";
import { memoryLimit } from "../../system/memory-limit.ts";

const MB = 1024 ** 2;

/** The memory of the arbiter itself, with some slack. */
const ARBITER_BYTES = 64 * MB;

/** How much of a worker's share the old space gets; the rest is for V8's other spaces, buffers, code and the watchdog. */
const OLD_SPACE_SHARE = 0.75;

/**
 * The young generation comes on top of the old space: three semi-spaces, whose default is 16 MB up to Node 22, 64 in 24
 * and 32 in 26. That of Node 22 keeps it within the rest of the share.
 */
const MAX_SEMI_SPACE_MB = 16;

/** Less than this no app starts with. */
const MIN_MB = 32;

type HeapSettings = Pick<Config, "maxOldSpace" | "reloadSurge">;

/**
 * Returns the limit in megabytes; undefined for Node's own.
 *
 * @param memory returns the memory of the control group in bytes; undefined if it has no limit
 */
export function heapLimit(
  { maxOldSpace, reloadSurge }: HeapSettings,
  workers: number,
  memory: () => number | undefined = memoryLimit,
): number | undefined {
  if (maxOldSpace === undefined) return undefined;
  if (maxOldSpace !== "auto") return Math.floor(maxOldSpace / MB);
  const limit = memory();
  if (limit === undefined) return undefined;
  const share = (limit - ARBITER_BYTES) / (Math.max(1, workers) + reloadSurge);
  return Math.max(MIN_MB, Math.floor((share * OLD_SPACE_SHARE) / MB));
}

/** The flags for the worker's process. The last of two flags counts, and both before NODE_OPTIONS. */
export function heapFlags(
  settings: HeapSettings,
  workers: number,
  memory: () => number | undefined = memoryLimit,
): string[] {
  const megabytes = heapLimit(settings, workers, memory);
  if (megabytes === undefined) return [];
  const oldSpace = `--max-old-space-size=${megabytes}`;
  return settings.maxOldSpace === "auto"
    ? [oldSpace, `--max-semi-space-size=${MAX_SEMI_SPACE_MB}`]
    : [oldSpace];
}

/** A line for the log about the limit; undefined if it is not set. */
export function describeHeapLimit(
  settings: HeapSettings,
  workers: number,
  memory: () => number | undefined = memoryLimit,
): string | undefined {
  const { maxOldSpace, reloadSurge } = settings;
  if (maxOldSpace === undefined) return undefined;
  const limit = maxOldSpace === "auto" ? memory() : undefined;
  const megabytes = heapLimit(settings, workers, () => limit);
  if (megabytes === undefined)
    return "V8's heap limit is Node's own: the control group has no memory limit to share (--max-old-space auto)";
  const each = `V8's heap limit of each worker: ${megabytes} MB`;
  if (limit === undefined) return `${each} (--max-old-space)`;
  const shared = `the control group's ${Math.floor(limit / MB)} MB, for ${workers} and during a reload ${reloadSurge} more`;
  return `${each} (--max-old-space auto: ${shared})`;
}
