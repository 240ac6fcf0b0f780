/**
 * The running processes, and the descendants of one of them. Reads /proc where it exists, which needs no other program
 * (a worker's watchdog uses this while the main thread is blocked and the machine may be in trouble); runs `ps` elsewhere.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { ChildProcess } from "../ipc/stall-report.ts";
import { procStat } from "./process-state.ts";

const PS_TIMEOUT_MS = 500;

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
}

/** All processes, from /proc; undefined without it. `root` is the folder that contains /proc. */
export function processesFromProc(root = "/"): RunningProcess[] | undefined {
  let names: string[];
  try {
    names = readdirSync(`${root}/proc`).filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  if (names.length === 0) return undefined;
  return names.flatMap((name) => {
    const parent = procStat(Number(name), root)?.[1];
    return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }];
  });
}

function processesFromPs(): RunningProcess[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], {
    encoding: "utf8",
    timeout: PS_TIMEOUT_MS,
  });
  return (stdout ?? "").split("\n").flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    return pid === undefined || parent === undefined ? [] : [{ pid, parent }];
  });
}

function commandOf(root: string, pid: number): string {
  try {
    return readFileSync(`${root}/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Every process below `pid`, parents before their children. */
export function descendants(pid: number, root = "/"): ChildProcess[] {
  const processes = processesFromProc(root) ?? processesFromPs();
  const found: ChildProcess[] = [];
  const parents = [pid];
  for (const parent of parents) {
    for (const candidate of processes) {
      if (candidate.parent !== parent || parents.includes(candidate.pid)) continue;
      parents.push(candidate.pid);
      found.push({ pid: candidate.pid, command: commandOf(root, candidate.pid) });
    }
  }
  return found;
}
