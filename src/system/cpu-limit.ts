/**
 * The number of CPUs this process can use, limited by the affinity mask and the control group's quota. A container with
 * a quota of two CPUs on a host with 64 gets two.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cgroupOf, readText } from "./cgroup.ts";

export interface CpuLimit {
  /** CPU time as a number of CPUs; a quota may allow half a CPU. */
  readonly cpus: number;
  /** The source of the limit, for the log. */
  readonly source: "affinity" | "cgroup";
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const value = Number(quota) / Number(period);
  return quota !== undefined && Number.isFinite(value) && value > 0 ? value : undefined;
}

/** cgroup v2: cpu.max is "max 100000" or "150000 100000", in microseconds. */
function quotaV2(folder: string): number | undefined {
  const [quota, period] = readText(join(folder, "cpu.max"))?.trim().split(" ") ?? [];
  return ratio(quota, period);
}

/** cgroup v1: a quota of -1 means none. */
function quotaV1(folder: string): number | undefined {
  const quota = readText(join(folder, "cpu.cfs_quota_us"))?.trim();
  return ratio(quota, readText(join(folder, "cpu.cfs_period_us"))?.trim());
}

/**
 * `root` is the folder that contains /proc and the mounts; `available` is the size of the affinity mask; `pid` is the
 * process whose control group counts.
 */
export function cpuLimit(
  root = "/",
  available = availableParallelism(),
  pid: number | "self" = "self",
): CpuLimit {
  const group = cgroupOf("cpu", root, pid);
  const quotaOf = group?.version === 1 ? quotaV1 : quotaV2;
  const quotas = (group?.folders ?? []).flatMap((folder) => quotaOf(folder) ?? []);
  const quota = Math.min(...quotas);
  return quota < available ? { cpus: quota, source: "cgroup" } : { cpus: available, source: "affinity" };
}

/** Resolves the `workers` setting. */
export function workerCount(workers: number | "auto"): number {
  return workers === "auto" ? autoWorkers() : workers;
}

/**
 * The number of workers for `--workers auto`: one per CPU, rounded up, since one worker can use no more than one CPU; at least one.
 */
export function autoWorkers(limit: CpuLimit = cpuLimit()): number {
  return Math.max(1, Math.ceil(limit.cpus));
}
