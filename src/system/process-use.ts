/** The CPU time and memory of a process, from /proc of Linux; undefined elsewhere. A blocked process is measured as well. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { procStat } from "./process-state.ts";

export interface ProcessUse {
  /** CPU time in milliseconds. */
  readonly cpu: number;
  readonly rss: number;
}

/** Linux counts CPU time for user space in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;
/** Fields of /proc/PID/stat (proc(5)), counted from the state. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;
const RESIDENT_PAGES = 21;

export function processUse(pid: number, root = "/"): ProcessUse | undefined {
  const fields = procStat(pid, root);
  if (fields === undefined) return undefined;
  const cpu = (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK_MS;
  return { cpu, rss: Number(fields[RESIDENT_PAGES]) * pageSize() };
}

let knownPageSize: number | undefined;

/** From the auxiliary vector of this process: pairs of words, of which 6 (AT_PAGESZ) names the size. */
function pageSize(): number {
  if (knownPageSize !== undefined) return knownPageSize;
  knownPageSize = 4096;
  try {
    const vector = readFileSync("/proc/self/auxv");
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (vector.readBigUInt64LE(at) === 6n) knownPageSize = Number(vector.readBigUInt64LE(at + 8));
    }
  } catch {
    // As most machines have it.
  }
  return knownPageSize;
}

/** Proportional set size in bytes: what would come free without it. Undefined where it cannot be read. Costs the kernel milliseconds. */
export async function proportionalSetSize(pid: number, root = "/"): Promise<number | undefined> {
  try {
    const text = await readFile(`${root}/proc/${pid}/smaps_rollup`, "latin1");
    const kilobytes = /^Pss: +(\d+) kB$/m.exec(text)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
