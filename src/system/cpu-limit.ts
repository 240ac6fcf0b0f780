/**
 * How many CPUs this process may really use: what the affinity mask leaves, and what the control group's
 * quota pays for. A container with two CPUs' worth of quota on a host of 64 gets two.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cgroupOf, readText } from "./cgroup.ts";

export interface CpuLimit {
  /** CPUs' worth of time; a quota may allow half a CPU. */
  readonly cpus: number;
  /** What set it, for the log. */
  readonly source: "affinity" | "cgroup";
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const value = Number(quota) / Number(period);
  return quota !== undefined && Number.isFinite(value) && value > 0 ? value : undefined;
}

/** cpu.max is "max 100000" or "150000 100000", both in microseconds (cgroup v2). */
function quotaV2(folder: string): number | undefined {
  const [quota, period] = readText(join(folder, "cpu.max"))?.trim().split(" ") ?? [];
  return ratio(quota, period);
}

/** A quota of -1 is none (cgroup v1). */
function quotaV1(folder: string): number | undefined {
  const quota = readText(join(folder, "cpu.cfs_quota_us"))?.trim();
  return ratio(quota, readText(join(folder, "cpu.cfs_period_us"))?.trim());
}

/**
 * `root` is where /proc and the mounts are looked for; `available` is the size of the affinity mask; `pid` is
 * whose control group counts.
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

/** How many workers a setting means. */
export function workerCount(workers: number | "auto"): number {
  return workers === "auto" ? autoWorkers() : workers;
}

/**
 * Workers for `--workers auto`: one for each CPU and for a last part of one, since a single worker can use
 * no more than one; at least one.
 */
export function autoWorkers(limit: CpuLimit = cpuLimit()): number {
  return Math.max(1, Math.ceil(limit.cpus));
}
