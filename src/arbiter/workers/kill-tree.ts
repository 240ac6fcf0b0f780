/**
 * Kills a process and everything it has started, so that a worker's own children do not outlive it. Where there is
 * /proc this is over within the call: the system may give the number of a process that has ended to another one.
 * Elsewhere tree-kill finds the family by asking `pgrep`.
 */
import type { ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { processesFromProc } from "../../system/process-tree.ts";

/** How long the package is waited for; then the process is killed without it. In milliseconds. */
const PATIENCE = 1000;

/** Rounds in which a family may grow while it is being stopped; each has only what was started since the one before. */
const MOST_ROUNDS = 10;

/** Kills a child of this process that may have ended, and its descendants. Never throws. */
export function killTree(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined || !isUnreaped(child)) return;
  const members = stoppedFamily(pid);
  if (members === undefined) killByPackage(child, pid);
  else for (const member of members) signal(member, "SIGKILL");
}

/** Nobody else can have its number until Node has heard of its end. */
function isUnreaped(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/**
 * A process and its descendants, stopped: one that is stopped starts no other, and does not end, so that its number
 * stays its own. Undefined where there is no /proc.
 */
function stoppedFamily(pid: number): readonly number[] | undefined {
  const found = new Set([pid]);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const entries = processesFromProc();
    if (entries === undefined) return undefined;
    const before = round === 0 ? 0 : found.size;
    for (const parent of found) {
      for (const entry of entries) if (entry.parent === parent) found.add(entry.pid);
    }
    if (found.size === before) break;
    for (const member of [...found].slice(before)) signal(member, "SIGSTOP");
  }
  return [...found];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended, or belongs to another user.
  }
}

/**
 * In a thread of its own, as the package's command line: where `pgrep` cannot be started, an error is thrown that
 * nobody could catch in this one.
 */
function killByPackage(child: ChildProcess, pid: number): void {
  const finish = (): void => {
    clearTimeout(late);
    if (isUnreaped(child)) signal(pid, "SIGKILL");
  };
  const late = setTimeout(finish, PATIENCE);
  try {
    const thread = new Worker(createRequire(import.meta.url).resolve("tree-kill/cli.js"), {
      argv: [String(pid), "SIGKILL"],
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: "" },
      stdout: true,
      stderr: true,
    });
    thread.unref();
    thread.on("error", () => {});
    thread.once("exit", finish);
  } catch {
    // Its files are gone: an old release, say.
    finish();
  }
}
