/** Where no folder can be written, the server runs, and says once of each thing that it does without it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { FIXTURES, RunningCommand, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";

const APP = join(FIXTURES, "fallback", "app.mjs");

function needsRoot(): string | false {
  if (process.getuid?.() !== 0) return "needs root: run the tests as root to see the real thing";
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

/** Mounts empty read-only file systems over the shared memory, and over the folder for state and temporary files. */
const READ_ONLY = 'mount -t tmpfs -o ro none /dev/shm; mount -t tmpfs -o ro none /mnt; exec "$@"';

test("read-only shared memory, temporary, state and record folders", {
  skip: needsRoot(),
}, async (context) => {
  const env = { TMPDIR: "/mnt", XDG_STATE_HOME: "/mnt/state" };
  const prefix = ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh"];
  const server = await new Examined(context, ["-w", "1", "-n", "read-only"], { env, prefix }, APP).ready();
  const { command } = server;
  const pids: number[] = [];
  for (let deaths = 1; deaths <= 2; deaths++) {
    const pid = await until("another worker serves", () =>
      command.workers().find((each) => !pids.includes(each)),
    );
    pids.push(pid);
    await until("it responds", async () => (await server.get("/")) === String(pid));
    await until(
      "its stack is shown",
      async () => (await server.reply("GET", `/workers/${pid}/stack`)).status === 200,
    );
    process.kill(pid, "SIGKILL");
    await command.line(/was killed by SIGKILL/, deaths);
  }
  const stats = await server.report<StatsReport>("/stats");
  assert.deepEqual([stats.isCounting, stats.totals.exits.killed], [false, 2]);
  await command.line(/No record of a worker's end could be written/);
  // Only the first death may promise a record: its line is written before the record.
  assert.deepEqual(
    command.lines(/was killed by SIGKILL/).map((line) => line.includes("see tsgun why")),
    [true, false],
  );
  const cpuProfile = new RunningCommand(
    [
      "ctl",
      "profile",
      String(await until("a worker", () => command.workers().find((each) => !pids.includes(each)))),
      "--seconds",
      "1",
      "-o",
      "/proc/no.cpuprofile",
      "--control-socket",
      server.socket,
    ],
    {},
  );
  assert.notEqual((await cpuProfile.ended()).code, 0);
  assert.match(cpuProfile.stderr, /^tsgun: .*\/proc/m);
  await command.end();
  assert.equal(command.lines(/No scoreboard, so requests are not counted: EROFS/).length, 1);
  assert.equal(command.lines(/No record of a worker's end could be written/).length, 1);
});
