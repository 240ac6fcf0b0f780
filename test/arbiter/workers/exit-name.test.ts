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

test("codes and signals by name", () => {
  assert.equal(exitName(1, null), "exited with code 1");
  assert.equal(exitName(0, null), "exited with code 0");
  assert.equal(exitName(null, "SIGSEGV"), "was killed by SIGSEGV");
});

test("v2: out of memory only when the counter moved since, once for each kill", (t) => {
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

test("kills that were seen twice and hit no worker are nobody's", (t) => {
  const root = machine(t, V2);
  const kills = new OomKills(root);
  writeFileSync(join(root, "sys/fs/cgroup/app/memory.events"), "oom_kill 9\n");
  kills.forgetOld(0);
  kills.forgetOld(1000);
  assert.equal(kills.claim(), true, "its exit may be on its way");
  kills.forgetOld(6000);
  assert.equal(kills.claim(), false);
});

test("v1: memory.oom_control", (t) => {
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

test("the root group of v2 has no events: the kernel's own count", (t) => {
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

test("where nothing counts, nothing is claimed", (t) => {
  const kills = new OomKills(machine(t, {}));
  assert.equal(exitName(null, "SIGKILL", kills), "was killed by SIGKILL");
});
