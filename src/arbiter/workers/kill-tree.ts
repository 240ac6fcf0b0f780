/**
 * Kills a process and its descendants, so that a worker's own children do not outlive it. With /proc this completes
 * within the call, before the system can reuse a pid. Elsewhere the package tree-kill finds the descendants with `pgrep`.
 */
import type { ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { processesFromProc } from "../../system/process-tree.ts";

/** If tree-kill takes longer, the process is killed without its descendants. */
const TREE_KILL_TIMEOUT_MS = 1000;

/** Searches for descendants; each after the first finds only processes started since the one before. */
const MAX_SEARCHES = 10;

/** Kills a child of this process, which may have ended already, and its descendants. Never throws. */
export function killTree(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined || !isUnreaped(child)) return;
  const tree = stopTree(pid);
  if (tree === undefined) killWithPackage(child, pid);
  else for (const member of tree) signal(member, "SIGKILL");
}

/** Until Node has reaped a child, no other process can have its pid. */
function isUnreaped(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/**
 * Stops a process and its descendants, and returns their pids. A stopped process neither starts others nor ends, so its
 * pid cannot be reused. Undefined without /proc.
 */
function stopTree(pid: number): readonly number[] | undefined {
  const found = new Set([pid]);
  for (let round = 0; round < MAX_SEARCHES; round++) {
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
    // The process has ended, or belongs to another user.
  }
}

/**
 * Runs the package's command line in a thread: if `pgrep` cannot be started, the package throws an error that cannot be
 * caught, which would end this one.
 */
function killWithPackage(child: ChildProcess, pid: number): void {
  const finish = (): void => {
    clearTimeout(timeout);
    if (isUnreaped(child)) signal(pid, "SIGKILL");
  };
  const timeout = setTimeout(finish, TREE_KILL_TIMEOUT_MS);
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
    // The package's files are gone, for example with an old release.
    finish();
  }
}
