/** The memory that this process may use, limited by its control group and the groups above it. */
import { join } from "node:path";
import { cgroupOf, readText } from "./cgroup.ts";

/**
 * The lowest limit in bytes; undefined if there is none. `root` is the folder that contains /proc and the mounts; `pid` is
 * the process whose control group counts.
 */
export function memoryLimit(root = "/", pid: number | "self" = "self"): number | undefined {
  const group = cgroupOf("memory", root, pid);
  const name = group?.version === 1 ? "memory.limit_in_bytes" : "memory.max";
  const limits = (group?.folders ?? []).map((folder) => Number(readText(join(folder, name)) ?? Number.NaN));
  // cgroup v1 reports no limit as the largest number of pages.
  const real = limits.filter((limit) => limit > 0 && limit < 2 ** 60);
  return real.length === 0 ? undefined : Math.min(...real);
}
