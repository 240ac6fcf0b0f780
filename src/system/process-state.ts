/**
 * What the kernel says of another process. A worker that sends no heartbeat may be busy (its own fault) or
 * stopped (somebody's SIGSTOP, a freezer): by its silence they look alike, here they do not.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export type ProcessState =
  /** On a CPU or waiting for one. */
  | "running"
  /** Waiting in a system call. */
  | "sleeping"
  /** Waiting for the kernel; no signal reaches it until that is over. */
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

/** Fields of /proc/PID/stat from the state on; the command before them may hold spaces and brackets. */
export function procStat(pid: number, root = "/"): string[] | undefined {
  try {
    const stat = readFileSync(`${root}/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** True when a process of this number exists, whoever owns it; a zombie exists. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** What `ps` says, for systems without /proc; `undefined` when it cannot be asked. */
function psState(pid: number): string | undefined {
  const { status, stdout } = spawnSync("ps", ["-o", "state=", "-p", String(pid)], {
    encoding: "utf8",
    timeout: PS_TIMEOUT_MS,
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** `root` is where /proc is looked for. Without /proc it costs a `ps`: ask it of suspects only. */
export function processState(pid: number, root = "/"): ProcessState {
  const letter = procStat(pid, root)?.[0] ?? (exists(pid) ? psState(pid) : "X");
  return STATES[letter?.[0] ?? ""] ?? "unknown";
}
