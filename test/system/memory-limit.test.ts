import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLimit } from "../../src/system/memory-limit.ts";
import { machine, v1Mount, v2Mount } from "../support/cgroup-root.ts";

test("v2: the lowest limit of the group and its parents", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/pod/container\n",
    "proc/self/mountinfo": v2Mount(),
    "sys/fs/cgroup/pod/container/memory.max": "max\n",
    "sys/fs/cgroup/pod/memory.max": "536870912\n",
  });
  assert.equal(memoryLimit(root), 512 * 1024 ** 2);
});

test("v1: a limit, and the number that stands for none", (t) => {
  const files = {
    "proc/self/cgroup": "4:memory:/docker/abc\n",
    "proc/self/mountinfo": v1Mount("memory", "/docker/abc"),
  };
  const name = "sys/fs/cgroup/memory/memory.limit_in_bytes";
  assert.equal(memoryLimit(machine(t, { ...files, [name]: "1073741824\n" })), 1024 ** 3);
  assert.equal(memoryLimit(machine(t, { ...files, [name]: "9223372036854771712\n" })), undefined);
});

test("without control groups there is no limit", (t) => {
  assert.equal(memoryLimit(machine(t, {})), undefined);
});
