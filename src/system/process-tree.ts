/**
 * Lists the descendants of a process. Reads /proc where it exists, which needs no other program (this runs while the
 * main thread is blocked and the machine may be in trouble); runs `ps` elsewhere.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { ChildProcess, ThreadState } from "../ipc/stall-report.ts";

const PS_TIMEOUT_MS = 500;

interface Entry {
  pid: number;
  parent: number;
}

/** The fields of /proc/PID/stat after the command, which may itself hold spaces and brackets (proc(5)). */
function statFields(root: string, pid: string): string[] | undefined {
  try {
    const stat = readFileSync(`${root}/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function fromProc(root: string): Entry[] | undefined {
  let names: string[];
  try {
    names = readdirSync(root).filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  if (names.length === 0) return undefined;
  return names.flatMap((name) => {
    const parent = statFields(root, name)?.[1];
    return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }];
  });
}

function fromPs(): Entry[] {
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
    return readFileSync(`${root}/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Every process below `pid`, parents before their children. */
export function descendants(pid: number, root = "/proc"): ChildProcess[] {
  const entries = fromProc(root) ?? fromPs();
  const found: ChildProcess[] = [];
  const parents = [pid];
  for (const parent of parents) {
    for (const entry of entries) {
      if (entry.parent !== parent || parents.includes(entry.pid)) continue;
      parents.push(entry.pid);
      found.push({ pid: entry.pid, command: commandOf(root, entry.pid) });
    }
  }
  return found;
}

const STATES: Record<string, ThreadState> = {
  R: "running",
  S: "waiting",
  D: "uninterruptible",
  T: "stopped",
  t: "stopped",
};

/** State of the main thread of `pid`: /proc/PID/stat describes the thread group leader. */
export function mainThreadState(pid: number, root = "/proc"): ThreadState {
  return STATES[statFields(root, String(pid))?.[0] ?? ""] ?? "unknown";
}
