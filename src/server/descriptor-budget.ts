/**
 * How close this process is to its limit of open file descriptors. At the limit libuv silently accepts and closes every
 * waiting connection, so a worker must stop accepting earlier.
 */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Descriptors left free for the app's files and sockets: an eighth of the limit, within these bounds. */
const RESERVE_SHARE = 1 / 8;
const MIN_RESERVE = 32;
const MAX_RESERVE = 256;
/** For a limit so low that the minimum would leave nothing to accept with. */
const MAX_RESERVE_SHARE = 1 / 4;

export class DescriptorBudget {
  /** Limit of this process; `Infinity` if unknown. */
  readonly limit: number;
  /** The limit without the reserve: connections are accepted below it. */
  readonly usable: number;

  constructor(limit = ownOpenFilesLimit()) {
    const reserve = Math.min(MAX_RESERVE, Math.max(MIN_RESERVE, limit * RESERVE_SHARE));
    this.limit = limit;
    this.usable = Number.isFinite(limit)
      ? Math.floor(limit - Math.min(reserve, limit * MAX_RESERVE_SHARE))
      : Number.POSITIVE_INFINITY;
  }

  /**
   * Whether a descriptor just allocated shows that only the reserve is left: the kernel allocates the lowest free
   * number (POSIX.1 section 2.6), so all below it are open.
   */
  isInReserve(descriptor: number): boolean {
    return descriptor >= this.usable;
  }

  /** Whether only the reserve is left. Asks the kernel, which takes a few microseconds. */
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

  /** Number of open descriptors, for messages. */
  get open(): number {
    try {
      // One is the listed folder itself.
      return readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd").length - 1;
    } catch {
      return this.limit;
    }
  }
}

/** The descriptor of a connected socket; -1 if it has none. */
export function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/**
 * The soft limit of open files of a process; undefined if /proc names none. Node raises its own to the hard limit at
 * start.
 */
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
