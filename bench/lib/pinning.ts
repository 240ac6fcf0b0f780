/** Servers run on one core and what loads them on another, so that neither takes time from the other. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { findProgram } from "./programs.ts";

/** The cores of servers and of the load, and both. */
export interface Cores {
  readonly server: number;
  readonly load: number;
  readonly both: string;
}

export interface Pinning {
  readonly cores: Cores | undefined;
  /** Why nothing is pinned. */
  readonly reason?: string;
}

/** The numbers of a list such as 0-3,8. */
function numbers(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Finds two cores that this process may use, and moves itself to the one of the load. */
export function pin(): Pinning {
  if (findProgram("taskset") === undefined)
    return { cores: undefined, reason: "taskset is missing: apt-get install util-linux" };
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  const [server, load] = numbers(allowed);
  if (server === undefined || load === undefined)
    return { cores: undefined, reason: `there are not two cores to use (allowed: ${allowed})` };
  if (spawnSync("taskset", ["-c", String(server), "true"]).status !== 0)
    return { cores: undefined, reason: "taskset is not permitted here" };
  execFileSync("taskset", ["-acp", String(load), String(process.pid)], { stdio: "ignore" });
  return { cores: { server, load, both: `${server},${load}` } };
}

/** A core, several in a list, or undefined where nothing is pinned. */
export type Core = number | string | undefined;

/** The command that runs `words` on a core. */
export function onCore(core: Core, words: readonly [string, ...string[]]): [string, ...string[]] {
  return core === undefined ? [...words] : ["taskset", "-c", String(core), ...words];
}
