/** CPU time and memory of a server: all its processes and threads, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** CPU time in nanoseconds. */
export interface CpuTime {
  readonly total: number;
  readonly user: number;
  readonly system: number;
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) => {
    const text = readProc(`${pid}/task/${thread}/children`)?.trim() ?? "";
    return text === "" ? [] : text.split(" ").map(Number);
  });
}

/** A process and its descendants. */
export function processTree(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "latin1");
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/**
 * CPU time that a process and its descendants have used so far. The total has nanoseconds; the kernel counts user and
 * system time in ticks, which only divide it. Counts only threads that are alive.
 */
export function cpuOf(pid: number): CpuTime {
  let total = 0;
  let userTicks = 0;
  let systemTicks = 0;
  for (const member of processTree(pid)) {
    for (const thread of threadsOf(member))
      total += Number(readProc(`${member}/task/${thread}/schedstat`)?.split(" ")[0] ?? 0);
    const fields = readProc(`${member}/stat`)
      ?.replace(/^.*\) /s, "")
      .split(" ");
    userTicks += Number(fields?.[11] ?? 0);
    systemTicks += Number(fields?.[12] ?? 0);
  }
  return { total, user: userTicks, system: systemTicks };
}

/** The CPU time used between two moments. */
export function cpuBetween(before: CpuTime, after: CpuTime): CpuTime {
  const total = after.total - before.total;
  const user = after.user - before.user;
  const ticks = user + after.system - before.system;
  const userShare = ticks > 0 ? user / ticks : 1;
  return { total, user: total * userShare, system: total * (1 - userShare) };
}

/** Memory of one process in bytes; what several share counts once among them (PSS). */
export function memoryOf(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readProc(`${pid}/smaps_rollup`) ?? "")?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Memory of a process and its descendants in bytes. */
export function memoryOfTree(pid: number): number {
  return processTree(pid).reduce((sum, member) => sum + memoryOf(member), 0);
}
