/**
 * How near this process is to its limit of open file descriptors. At the limit libuv accepts each connection that waits
 * and closes it at once, without a word, so a worker has to stop accepting before.
 */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** What accepting leaves free for the app's own files and sockets: an eighth of the limit, within these bounds. */
const RESERVE_SHARE = 1 / 8;
const SMALLEST_RESERVE = 32;
const LARGEST_RESERVE = 256;
/** Of a limit so low that the smallest reserve would leave nothing. */
const MOST_RESERVE_SHARE = 1 / 4;

export class DescriptorBudget {
  /** How many this process may have open; `Infinity` where the system does not say. */
  readonly limit: number;
  /** How many may be open while connections are accepted. */
  readonly usable: number;

  constructor(limit = ownOpenFilesLimit()) {
    const reserve = Math.min(LARGEST_RESERVE, Math.max(SMALLEST_RESERVE, limit * RESERVE_SHARE));
    this.limit = limit;
    this.usable = Number.isFinite(limit)
      ? Math.floor(limit - Math.min(reserve, limit * MOST_RESERVE_SHARE))
      : Number.POSITIVE_INFINITY;
  }

  /**
   * Whether `descriptor`, which the kernel has just given, shows that only the reserve is left: the kernel gives the
   * lowest that is free (POSIX.1 section 2.6), so all below it are open.
   */
  isInReserve(descriptor: number): boolean {
    return descriptor >= this.usable;
  }

  /** Whether only the reserve is left; asks the kernel, which takes some microseconds. */
  get areScarce(): boolean {
    if (this.usable === Number.POSITIVE_INFINITY) return false;
    try {
      const lowest = openSync("/dev/null", "r");
      closeSync(lowest);
      return this.isInReserve(lowest);
    } catch {
      return true;
    }
  }

  /** How many are open, for people. */
  get open(): number {
    try {
      // One is the folder itself.
      return readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd").length - 1;
    } catch {
      return this.limit;
    }
  }
}

/** The descriptor of a connected socket; -1 where it has none. */
export function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** The soft limit of open files of a process; undefined if /proc names none. Node raises its own to the hard limit at start. */
export function openFilesLimit(pid: number | "self"): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "latin1")) ?? [];
    return Number(soft) || undefined;
  } catch {
    return undefined;
  }
}

/** Without /proc Node's report names the limit. */
function ownOpenFilesLimit(): number {
  const limit = openFilesLimit("self");
  if (limit !== undefined) return limit;
  const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  return Number(report?.userLimits?.open_files?.soft) || Number.POSITIVE_INFINITY;
}
