/**
 * Kills a process and everything it has started, so that a worker's own children do not outlive it. tree-kill
 * finds them by asking `ps` (`pgrep` on macOS); a slim container has none, so /proc is read as well.
 */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { procStat } from "./process-state.ts";

/** How long the package is waited for; then what is left is killed without it. In milliseconds. */
const PATIENCE = 1000;

/** What no thread is needed for: the process itself, and what /proc says is below it, children first. */
function family(pid: number): number[] {
  const found = [pid];
  const entries = processes();
  for (const parent of found) {
    for (const entry of entries) {
      if (entry.parent === parent && !found.includes(entry.pid)) found.push(entry.pid);
    }
  }
  return found.reverse();
}

function processes(): { pid: number; parent: number }[] {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: Number(procStat(Number(name))?.[1]) }));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Kills `pid` and its descendants. Resolves when the signals are sent; never rejects. */
export async function killTree(pid: number): Promise<void> {
  const known = family(pid);
  await killByPackage(pid);
  known.forEach(kill);
}

/**
 * In a thread of its own, as the package's command line: where `ps` cannot be started, an error is thrown that
 * nobody could catch in this one.
 */
function killByPackage(pid: number): Promise<void> {
  return new Promise((resolve) => {
    let thread: Worker;
    try {
      thread = new Worker(createRequire(import.meta.url).resolve("tree-kill/cli.js"), {
        argv: [String(pid), "SIGKILL"],
        execArgv: [],
        env: { ...process.env, NODE_OPTIONS: "" },
        stdout: true,
        stderr: true,
      });
    } catch {
      // Its files are gone: an old release, say.
      return resolve();
    }
    // It is left to finish when it is late: one that is ended leaves the `ps` it waits for as a zombie.
    const late = setTimeout(resolve, PATIENCE);
    thread.unref();
    thread.on("error", () => {});
    thread.once("exit", () => {
      clearTimeout(late);
      resolve();
    });
  });
}
