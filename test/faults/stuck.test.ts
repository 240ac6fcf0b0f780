/** Stopped and blocked workers under load: they are distinguished, logged and replaced while the others serve. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, isAlive, until, watchBlocked } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";
import type { Load } from "../support/load.ts";

/** Only requests in flight in `pid` may be lost: at most one of each client. */
function checkLosses(name: string, load: Load, pid: number, clients: number): void {
  const { refused, wrong, timedOut } = load.counts;
  assert.deepEqual(
    { refused, wrong, timedOut },
    { refused: 0, wrong: 0, timedOut: 0 },
    `${name}: ${load.report()}`,
  );
  assert.ok(load.failed <= clients, `${name}: ${load.report()}`);
  for (const { worker, text } of load.failures)
    assert.ok(worker === undefined || worker === pid, `${name}: ${text}`);
}

test("a stopped worker is replaced", async (context) => {
  const stage = await FaultStage.start(context, { workers: 4, args: ["--timeout", "5s"] });
  await stage.load();
  const [pid] = await stage.settled();
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGSTOP");
  await until("the stopped worker is gone", () => !isAlive(pid));
  const pids = await stage.settled();
  await until("its successor answers", () => pids.every((other) => stage.answering().has(other)));
  await Promise.all([...stage.loads.values()].map((load) => load.stop()));
  for (const [name, load] of stage.loads) checkLosses(name, load, pid, 4);
  await stage.end();
});

test("an endless loop: the log names its file and line while the other workers serve", async (context) => {
  const stage = await FaultStage.start(context, {
    workers: 4,
    app: "blocks.mjs",
    args: ["--timeout", "5s"],
    prepare: (folder) => copyFileSync(join(FIXTURES, "faults", "mirror.mjs"), join(folder, "mirror.mjs")),
  });
  await stage.load();
  const pids = await stage.settled();
  const socket = connect(stage.port, "127.0.0.1");
  context.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.write("GET /block?why HTTP/1.1\r\nHost: h\r\n\r\n");
  const source = readFileSync(join(FIXTURES, "faults", "blocks.mjs"), "utf8").split("\n");
  const line = source.findIndex((text) => text.includes("while (true)")) + 1;
  // The other three workers serve meanwhile: each load continues, if not in every client.
  await stage.more(10);
  await stage.command.line(new RegExp(`turnForEver.*blocks\\.mjs:${line}`));
  await stage.command.line(/GET \/block\?why/);
  const after = await until("the stuck worker is replaced", () => {
    const now = stage.command.workers();
    return now.length === 4 && now.some((pid) => !pids.includes(pid)) && now;
  });
  const stuck = pids.find((pid) => !after.includes(pid));
  assert.ok(stuck !== undefined);
  await stage.more(10);
  await Promise.all([...stage.loads.values()].map((load) => load.stop()));
  for (const [name, load] of stage.loads) checkLosses(name, load, stuck, 4);
  await stage.end();
});

test("the arbiter is killed: a blocked worker ends as well", async (context) => {
  const stage = await FaultStage.start(context, {
    workers: 2,
    app: "blocks.mjs",
    prepare: (folder) => copyFileSync(join(FIXTURES, "faults", "mirror.mjs"), join(folder, "mirror.mjs")),
  });
  const workers = await stage.settled();
  const blocked = workers.map(watchBlocked);
  const socket = connect(stage.port, "127.0.0.1");
  context.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.write("GET /block HTTP/1.1\r\nHost: h\r\n\r\n");
  await until("a worker is blocked", () => blocked.some((isBlocked) => isBlocked()));
  stage.command.kill("SIGKILL");
  await until("no process is left", () => ![stage.command.pid, ...workers].some(isAlive), 2000);
});

test("all workers stopped, or all in an endless loop: not ready, which it says, and live", async (context) => {
  const stage = await FaultStage.start(context, {
    workers: 2,
    app: "blocks.mjs",
    args: ["--timeout", "5m", "--admin-bind", "unix:health.sock"],
    prepare: (folder) => copyFileSync(join(FIXTURES, "faults", "mirror.mjs"), join(folder, "mirror.mjs")),
  });
  const workers = await stage.settled();
  const path = join(stage.folder, "health.sock");
  const becomes = (status: number): Promise<string> =>
    until(`/health/ready responds with ${status}`, async () => {
      const answer = await ask({ path }, "/health/ready");
      return answer.status === status && String(JSON.parse(answer.text).reason);
    });
  const silent = "0 workers ready, 1 wanted; 2 workers silent for more than 5s";
  const isLive = async (): Promise<void> => {
    for (const name of ["live", "startup"])
      assert.equal((await ask({ path }, `/health/${name}`)).status, 200, name);
  };

  for (const pid of workers) process.kill(pid, "SIGSTOP");
  await until("both are silent", async () => (await becomes(503)) === silent);
  await isLive();
  for (const pid of workers) process.kill(pid, "SIGCONT");
  assert.equal(await becomes(200), "ok");

  // A blocked worker accepts nothing, so the second request reaches the other one.
  const blocked = workers.map(watchBlocked);
  for (const count of [1, 2]) {
    const socket = connect(stage.port, "127.0.0.1");
    context.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.write("GET /block HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(
      `${count} are blocked`,
      () => blocked.map((isBlocked) => isBlocked()).filter(Boolean).length >= count,
    );
  }
  await until("both are silent", async () => (await becomes(503)) === silent);
  await isLive();
  await stage.command.end("SIGQUIT");
});
