/** The limit of another process's file descriptors, changed while it runs (Linux: prlimit and /proc). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";

/** Sets the soft limit; the hard one stays. */
export function limitDescriptors(pid: number, limit: number): void {
  const { status, stderr } = spawnSync("prlimit", ["--pid", `${pid}`, `--nofile=${limit}:`], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
}

/**
 * Limits a process so that it can open only `free` more descriptors.
 *
 * @param reserve whether the arbiter's reserve, which it holds on /dev/null, counts among those that are free
 */
export function leaveDescriptors(pid: number, free: number, { reserve = false } = {}): void {
  let limit = 0;
  for (let left = free; left > 0 || isTaken(pid, limit, reserve); limit++)
    if (!isTaken(pid, limit, reserve)) left--;
  limitDescriptors(pid, limit);
}

function isTaken(pid: number, descriptor: number, reserve: boolean): boolean {
  try {
    const file = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
    return descriptor <= 2 || !reserve || file !== "/dev/null";
  } catch {
    return false;
  }
}
