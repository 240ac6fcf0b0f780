/** A scoreboard that cannot be, or has no room: the server says so once, and serves. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StatsReport } from "../../../src/control/stats.ts";
import { ask } from "../../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder } from "../../support/command.ts";

async function serve(
  context: TestContext,
  prefix: readonly string[],
  workers: number,
): Promise<{ command: RunningCommand; report: StatsReport }> {
  const socket = { path: join(temporaryFolder(context), "c.ctl") };
  const app = join(FIXTURES, "stats", "app.mjs");
  const command = startCommand(
    context,
    [app, "-b", "127.0.0.1:0", "-w", String(workers), "--control-socket", socket.path],
    { prefix },
  );
  await command.ready();
  const server = { host: "127.0.0.1", port: await command.port() };
  for (let each = 0; each < 4; each++) assert.equal((await ask(server, "/")).status, 200);
  return { command, report: JSON.parse((await ask(socket, "/stats")).text) as StatsReport };
}

test("under a limit of file sizes the server runs without the scoreboard", async (context) => {
  const prefix = ["bash", "-c", 'ulimit -f 100000 && exec "$@"', "bash"];
  const { command, report } = await serve(context, prefix, 1);
  assert.equal(command.lines(/No scoreboard, so requests are not counted: .*ulimit -f/).length, 1);
  assert.deepEqual([report.totals.requests, report.totals.starts], [0, 1]);
});

/** Only root may mount, and not on every machine. */
const canMount =
  process.platform === "linux" &&
  spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/dev/shm"]).status === 0;

test("where the memory file system is full, workers without a page serve", {
  skip: canMount ? false : "run it as root, where a file system can be mounted",
}, async (context) => {
  const script = 'mount -t tmpfs -o size=300k none /dev/shm && exec "$@"';
  const { command, report } = await serve(context, ["unshare", "--mount", "sh", "-c", script, "sh"], 3);
  assert.equal(command.lines(/No page of the scoreboard for a worker, .*ENOSPC/).length, 1);
  assert.equal(report.workers.length, 3);
  assert.equal(report.totals.starts, 3);
});
