import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { mainThreadState } from "../../src/system/process-state.ts";
import { descendants } from "../../src/system/process-tree.ts";

type Row = [pid: number, command: string, state: string, parent: number];

function procfs(t: TestContext, rows: Row[]): string {
  const root = mkdtempSync(join(tmpdir(), "tsgun-proc-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "proc", "sys"), { recursive: true });
  for (const [pid, command, state, parent] of rows) {
    mkdirSync(join(root, "proc", String(pid)));
    writeFileSync(
      join(root, "proc", String(pid), "stat"),
      `${pid} (${command}) ${state} ${parent} 1 1 0 -1\n`,
    );
    writeFileSync(join(root, "proc", String(pid), "cmdline"), `${command}\0--flag\0`);
  }
  return root;
}

test("descendants are listed, parents before their children", (t) => {
  const root = procfs(t, [
    [1, "init", "S", 0],
    [10, "worker", "R", 1],
    [13, "grandchild", "S", 12],
    [12, "child (with) brackets", "S", 10],
    [14, "other", "S", 1],
  ]);
  assert.deepEqual(descendants(10, root), [
    { pid: 12, command: "child (with) brackets --flag" },
    { pid: 13, command: "grandchild --flag" },
  ]);
});

test("the state of the main thread is read from /proc", (t) => {
  const root = procfs(t, [
    [10, "a) R 1", "S", 1],
    [11, "b", "R", 1],
    [12, "c", "D", 1],
    [13, "d", "T", 1],
    [14, "e", "X", 1],
  ]);
  assert.deepEqual(
    [10, 11, 12, 13, 14, 15].map((pid) => mainThreadState(pid, root)),
    ["waiting", "running", "uninterruptible", "stopped", "unknown", "unknown"],
  );
});

test("a real child is found by /proc and by ps", async (t) => {
  const child = spawn("sleep", ["60"]);
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  assert.ok(descendants(process.pid).some(({ pid }) => pid === child.pid));
  assert.ok(
    descendants(process.pid, "/nonexistent").some(({ pid }) => pid === child.pid),
    "by ps",
  );
});
