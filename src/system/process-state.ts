/**
 * The state of another process, from the kernel. A worker without a heartbeat may be busy (its own fault) or stopped
 * (SIGSTOP, a freezer); only the kernel can tell them apart.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ThreadState } from "../ipc/stall-report.ts";

export type ProcessState =
  /** On a CPU or waiting for one. */
  | "running"
  /** Waiting in a system call. */
  | "sleeping"
  /** Waiting in the kernel; no signal is delivered until that ends. */
  | "uninterruptible"
  /** By SIGSTOP, SIGTSTP or a tracer. */
  | "stopped"
  /** Ended, not yet reaped by its parent. */
  | "zombie"
  | "gone"
  | "unknown";

const PS_TIMEOUT_MS = 1000;

/** The letters of /proc/PID/stat (proc(5)) and of `ps -o state` on BSD and macOS. */
const STATES: Record<string, ProcessState> = {
  R: "running",
  S: "sleeping",
  I: "sleeping",
  D: "uninterruptible",
  U: "uninterruptible",
  T: "stopped",
  t: "stopped",
  Z: "zombie",
  X: "gone",
};

/** The fields of /proc/PID/stat from the state on; the command before them may contain spaces and brackets. */
export function procStat(pid: number, root = "/"): string[] | undefined {
  try {
    const stat = readFileSync(`${root}/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Whether a process with this pid exists, of any user; zombies count. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The state according to `ps`, for systems without /proc; undefined if `ps` fails. */
function psState(pid: number): string | undefined {
  const { status, stdout } = spawnSync("ps", ["-o", "state=", "-p", String(pid)], {
    encoding: "utf8",
    timeout: PS_TIMEOUT_MS,
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** `root` is the folder that contains /proc. Without /proc this spawns `ps`: call it for suspects only. */
export function processState(pid: number, root = "/"): ProcessState {
  const letter = procStat(pid, root)?.[0] ?? (exists(pid) ? psState(pid) : "X");
  return STATES[letter?.[0] ?? ""] ?? "unknown";
}

const THREAD_STATES: { readonly [State in ProcessState]?: ThreadState } = {
  running: "running",
  sleeping: "waiting",
  uninterruptible: "uninterruptible",
  stopped: "stopped",
};

/** The state of the main thread of `pid`, which /proc/PID/stat describes. Unknown without /proc: it spawns nothing. */
export function mainThreadState(pid: number, root = "/"): ThreadState {
  const state = STATES[procStat(pid, root)?.[0] ?? ""];
  return (state && THREAD_STATES[state]) ?? "unknown";
}
