import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { residentMemory } from "../../src/system/resident-memory.ts";
import { until } from "../support/command.ts";

/** The processes in whose folder of /proc this process has a file open. */
function watchedPids(): string[] {
  return readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      return /^\/proc\/(\d+)\//.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
}

test("it is that of the processes that live, and nothing of those that have ended stays open", async () => {
  // The kernel counts the pages of a process in batches, so a small one may have none.
  const wait = "setTimeout(() => {}, 60_000)";
  const children = Array.from({ length: 3 }, () => spawn(process.execPath, ["-e", wait]));
  const pids = children.map(({ pid }) => pid as number);
  const memory = await until("all are measured", async () => {
    const measured = await residentMemory([...pids, process.pid]);
    return pids.every((pid) => (measured.get(pid) ?? 0) > 0) && measured;
  });
  const own = process.memoryUsage.rss();
  const measured = memory.get(process.pid) ?? 0;
  assert.ok(Math.abs(measured - own) < 20_000_000, `${measured} measured, ${own} used`);
  for (const child of children) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  assert.deepEqual(
    [...(await residentMemory([...pids, process.pid])).entries()].filter(([, bytes]) => bytes > 0).length,
    1,
  );
  if (process.platform === "linux")
    assert.deepEqual(
      watchedPids().filter((pid) => pids.includes(Number(pid))),
      [],
    );
});
