/** The resident memory of processes, also where there is no /proc. */
import { processUse } from "./process-use.ts";

/**
 * Returns bytes by pid; a process that has ended is missing.
 * @throws Error if the system does not tell
 */
export async function residentMemory(pids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  if (process.platform !== "linux") return await askPs(pids);
  if (processUse(process.pid) === undefined) throw new Error("cannot read /proc/self/stat");
  return new Map(
    pids.flatMap((pid) => {
      const use = processUse(pid);
      return use === undefined ? [] : [[pid, use.rss] as const];
    }),
  );
}

/** Not on Linux, where pidusage keeps a descriptor of every process open, until a minute after its end. */
async function askPs(pids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  try {
    const { default: pidusage } = await import("pidusage");
    const found = await pidusage([...pids]);
    // Null: the process has ended meanwhile.
    return new Map(pids.map((pid) => [pid, found[pid]?.memory ?? 0]));
  } catch (error) {
    if ((error as Error).message === "No matching pid found") return new Map();
    throw error;
  }
}
