import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GroupMemory } from "../../src/system/group-memory.ts";
import { machine, v1Mount, v2Mount } from "../support/cgroup-root.ts";

const V2 = { "proc/self/cgroup": "0::/pod/app\n", "proc/self/mountinfo": v2Mount() };
const APP = "sys/fs/cgroup/pod/app";

test("v2: the fullest limit of the group and its parents, without the cache that is not in use", (t) => {
  const root = machine(t, {
    ...V2,
    [`${APP}/memory.max`]: "1000\n",
    [`${APP}/memory.high`]: "max\n",
    [`${APP}/memory.current`]: "950\n",
    [`${APP}/memory.stat`]: "anon 1\ninactive_file 40\nactive_file 5\n",
    "sys/fs/cgroup/pod/memory.max": "max\n",
    "sys/fs/cgroup/pod/memory.high": "2000\n",
    "sys/fs/cgroup/pod/memory.current": "1500\n",
  });
  const group = new GroupMemory(root);
  assert.equal(group.isLimited, true);
  assert.deepEqual(group.fullerThan(0.9), {
    folder: join(root, APP),
    used: 910,
    limit: 1000,
    atLimit: "kills",
  });
  writeFileSync(join(root, APP, "memory.stat"), "inactive_file 51\n");
  assert.equal(group.fullerThan(0.9), undefined, "the kernel can take the cache back");
  writeFileSync(join(root, "sys/fs/cgroup/pod/memory.current"), "1900");
  const { folder, atLimit } = group.fullerThan(0.9) ?? {};
  assert.deepEqual([folder, atLimit], [join(root, "sys/fs/cgroup/pod"), "slows"]);
});

test("a limit that is set later is found when limits are read anew", (t) => {
  const root = machine(t, { ...V2, [`${APP}/memory.max`]: "max\n", [`${APP}/memory.current`]: "950\n" });
  const group = new GroupMemory(root);
  assert.equal(group.isLimited, false);
  writeFileSync(join(root, APP, "memory.max"), "1000\n");
  group.findLimits();
  assert.equal(group.fullerThan(0.9)?.used, 950);
});

test("v1: its own names, and no limit", (t) => {
  const folder = "sys/fs/cgroup/memory";
  const files = {
    "proc/self/cgroup": "4:memory:/docker/abc\n",
    "proc/self/mountinfo": v1Mount("memory", "/docker/abc"),
    [`${folder}/memory.usage_in_bytes`]: "990\n",
    [`${folder}/memory.stat`]: "inactive_file 900\ntotal_inactive_file 10\n",
  };
  const limited = machine(t, { ...files, [`${folder}/memory.limit_in_bytes`]: "1000\n" });
  assert.equal(new GroupMemory(limited).fullerThan(0.9)?.used, 980);
  const open = machine(t, { ...files, [`${folder}/memory.limit_in_bytes`]: "9223372036854771712\n" });
  assert.equal(new GroupMemory(open).isLimited, false);
});

test("without control groups, or with files that cannot be read, nothing is full", (t) => {
  assert.equal(new GroupMemory(machine(t, {})).fullerThan(0), undefined);
  const odd = machine(t, { ...V2, [`${APP}/memory.max`]: "1000\n", [`${APP}/memory.current`]: "many\n" });
  assert.equal(new GroupMemory(odd).fullerThan(0.9), undefined);
});
