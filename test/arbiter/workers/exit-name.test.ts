import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exitName, OomKills } from "../../../src/arbiter/workers/exit-name.ts";
import { machine, v1Mount, v2Mount } from "../../support/cgroup-root.ts";

const V2 = {
  "proc/self/cgroup": "0::/app\n",
  "proc/self/mountinfo": v2Mount(),
  "sys/fs/cgroup/app/memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n",
};

test("an exit is named by its code or signal", () => {
  assert.equal(exitName(1, null), "exited with code 1");
  assert.equal(exitName(0, null), "exited with code 0");
  assert.equal(exitName(null, "SIGSEGV"), "was killed by SIGSEGV");
});

test("an exit before the worker's program has run refers to what Node has printed", () => {
  const name = (code: number | null, signal: NodeJS.Signals | null): string =>
    exitName(code, signal, undefined, false);
  assert.equal(name(9, null), "exited with code 9 while Node started (its reason is on standard error)");
  assert.equal(name(0, null), "exited with code 0");
  assert.equal(name(null, "SIGTERM"), "was killed by SIGTERM");
});

test("cgroup v2: a SIGKILL counts as out of memory once for each kill that the kernel counted", (t) => {
  const root = machine(t, V2);
  const events = join(root, "sys/fs/cgroup/app/memory.events");
  const kills = new OomKills(root);
  const killed = (): string => exitName(null, "SIGKILL", kills);
  assert.equal(killed(), "was killed by SIGKILL");
  writeFileSync(events, "oom 3\noom_kill 4\n");
  assert.equal(exitName(null, "SIGTERM", kills), "was killed by SIGTERM");
  assert.equal(exitName(1, null, kills), "exited with code 1");
  assert.equal(killed(), "was killed by SIGKILL: out of memory");
  assert.equal(killed(), "was killed by SIGKILL: out of memory");
  assert.equal(killed(), "was killed by SIGKILL");
});

test("a kill that no worker has claimed by the second reading is forgotten", (t) => {
  const root = machine(t, V2);
  const kills = new OomKills(root);
  writeFileSync(join(root, "sys/fs/cgroup/app/memory.events"), "oom_kill 9\n");
  kills.forgetOld(0);
  kills.forgetOld(1000);
  assert.equal(kills.claim(), true, "the worker's exit may not have been reported yet");
  kills.forgetOld(6000);
  assert.equal(kills.claim(), false);
});

test("cgroup v1: kills are counted in memory.oom_control", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "4:memory:/app\n0::/\n",
    "proc/self/mountinfo": v1Mount("memory") + v2Mount("/sys/fs/cgroup/unified"),
    "sys/fs/cgroup/memory/app/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
  });
  const kills = new OomKills(root);
  const file = join(root, "sys/fs/cgroup/memory/app/memory.oom_control");
  writeFileSync(file, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  assert.equal(kills.claim(), true);
});

test("cgroup v2: in the root group, which has no events, the machine's count is used", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": v2Mount(),
    "proc/vmstat": "nr_free_pages 1\noom_kill 7\n",
  });
  const kills = new OomKills(root);
  assert.equal(kills.claim(), false);
  writeFileSync(join(root, "proc/vmstat"), "nr_free_pages 1\noom_kill 8\n");
  assert.equal(kills.claim(), true);
});

test("without a counter no SIGKILL counts as out of memory", (t) => {
  const kills = new OomKills(machine(t, {}));
  assert.equal(exitName(null, "SIGKILL", kills), "was killed by SIGKILL");
});
