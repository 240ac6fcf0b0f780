/** Binary upgrades under load, automatic and manual, forwards and back: no client notices. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { isAlive, until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";

/** Responses to each load between two steps, so that every step happens under load. */
const BETWEEN = 12;

const SERVERS = [
  { workers: 1, app: "mirror.mjs", times: 3, nginx: true },
  { workers: 4, app: "mirror.mjs", times: 3, nginx: true },
  { workers: 2, app: "mirror-listener.cjs", times: 2, nginx: false },
] as const;

for (const { workers, app, times, nginx } of SERVERS) {
  const where = nginx ? ", behind nginx too" : "";
  test(`USR2 ${times} times, ${workers} workers of ${app}${where}`, async (context) => {
    const stage = await FaultStage.start(context, { workers, app });
    const { command } = stage;
    await (nginx ? stage.loadWithNginx(context) : stage.load());
    for (let time = 1; time <= times; time++) {
      const [old = 0] = command.arbiters().slice(-1);
      process.kill(old, "SIGUSR2");
      await until("the old arbiter is gone", () => command.arbiters().length > time && !isAlive(old));
      await stage.more(BETWEEN);
      assert.equal(command.workers(command.arbiters()[time]).length, workers);
    }
    await stage.assertNothingLost(times * BETWEEN);
    assert.deepEqual(command.lines(/WARNING|ERROR/), []);
    process.kill(command.arbiters().at(-1) ?? 0, "SIGTERM");
    await command.ended();
    assert.ok(!existsSync(stage.path));
  });
}

test("USR2 by hand: WINCH, back with HUP, and there with QUIT", async (context) => {
  const stage = await FaultStage.start(context, { workers: 2, args: ["--upgrade-mode", "manual"] });
  const { command } = stage;
  await stage.load();
  command.kill("SIGUSR2");
  await command.line(/is ready, beside this one/);
  const [old, first = 0] = command.arbiters();
  await stage.more(BETWEEN);
  command.kill("SIGWINCH");
  await until("the old one has no workers", () => command.workers().length === 0);
  await stage.more(BETWEEN);
  command.kill("SIGHUP");
  await command.ready(2);
  process.kill(first, "SIGTERM");
  await until("the new one is gone", () => !isAlive(first));
  await stage.more(BETWEEN);
  command.kill("SIGUSR2");
  await command.line(/is ready, beside this one/, 2);
  command.kill("SIGTERM");
  await until("the old one is gone", () => !isAlive(old as number));
  await stage.more(BETWEEN);
  await stage.assertNothingLost(4 * BETWEEN);
  process.kill(command.arbiters()[2] ?? 0, "SIGTERM");
  await command.ended();
  assert.ok(!existsSync(stage.path));
});

test("an upgrade to a release that cannot serve fails, and the old server continues unchanged", async (context) => {
  const stage = await FaultStage.start(context, { workers: 2 });
  const workers = stage.command.workers();
  await stage.load();
  stage.deploy('throw new Error("no licence");\n');
  stage.command.kill("SIGUSR2");
  await stage.command.line(/Upgrade failed, this arbiter continues to serve: .*no licence/);
  await stage.more(BETWEEN);
  assert.deepEqual(stage.command.workers(), workers);
  await stage.assertNothingLost(BETWEEN);
  await stage.end();
});
