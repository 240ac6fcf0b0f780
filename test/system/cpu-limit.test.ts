import assert from "node:assert/strict";
import { test } from "node:test";
import { autoWorkers, cpuLimit } from "../../src/system/cpu-limit.ts";
import { machine, v1Mount, v2Mount } from "../support/cgroup-root.ts";

test("v2: the quota of the own group", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/system.slice/app.service\n",
    "proc/self/mountinfo": v2Mount(),
    "sys/fs/cgroup/system.slice/app.service/cpu.max": "150000 100000\n",
  });
  assert.deepEqual(cpuLimit(root, 64), { cpus: 1.5, source: "cgroup" });
});

test("v2: a parent's smaller quota applies", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/pod/container\n",
    "proc/self/mountinfo": v2Mount(),
    "sys/fs/cgroup/pod/container/cpu.max": "800000 100000\n",
    "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
  });
  assert.deepEqual(cpuLimit(root, 64), { cpus: 2, source: "cgroup" });
});

test("v2: in a container the mount point is the process's own group", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": v2Mount(),
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
  });
  assert.deepEqual(cpuLimit(root, 4), { cpus: 0.5, source: "cgroup" });
});

test("v2: a host path outside the mount, and a mount point with a space", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/docker/abc/sub\n",
    "proc/self/mountinfo": v2Mount("/mnt/c\\040group", "/docker/abc"),
    "mnt/c group/sub/cpu.max": "300000 100000\n",
  });
  assert.equal(cpuLimit(root, 64).cpus, 3);
});

test("v1: cfs quota and period, under a mount shared by two controllers", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
    "proc/self/mountinfo": v1Mount("cpu,cpuacct", "/docker/abc") + v2Mount("/sys/fs/cgroup/unified"),
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
  });
  assert.deepEqual(cpuLimit(root, 64), { cpus: 2.5, source: "cgroup" });
});

test("the control group of another process", (t) => {
  const root = machine(t, {
    "proc/self/cgroup": "0::/shell\n",
    "proc/77/cgroup": "0::/system.slice/app.service\n",
    "proc/self/mountinfo": v2Mount(),
    "sys/fs/cgroup/system.slice/app.service/cpu.max": "150000 100000\n",
  });
  assert.deepEqual(cpuLimit(root, 64, 77), { cpus: 1.5, source: "cgroup" });
  assert.deepEqual(cpuLimit(root, 64), { cpus: 64, source: "affinity" });
});

test("without a quota, control groups or a smaller quota, the affinity mask counts", (t) => {
  const unlimited = { cpus: 3, source: "affinity" };
  const v2 = { "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": v2Mount() };
  for (const files of [
    {},
    v2,
    { ...v2, "sys/fs/cgroup/cpu.max": "max 100000\n" },
    { ...v2, "sys/fs/cgroup/cpu.max": "1000000 100000\n" },
    { ...v2, "sys/fs/cgroup/cpu.max": "garbage\n" },
    {
      "proc/self/cgroup": "3:cpu:/\n",
      "proc/self/mountinfo": v1Mount("cpu"),
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
  ]) {
    assert.deepEqual(cpuLimit(machine(t, files), 3), unlimited);
  }
});

test("auto: one worker per CPU, rounded up, at least one", () => {
  const workers = [0.25, 1, 1.5, 2, 7.01].map((cpus) => autoWorkers({ cpus, source: "cgroup" }));
  assert.deepEqual(workers, [1, 1, 2, 2, 8]);
  assert.ok(autoWorkers() >= 1);
});
