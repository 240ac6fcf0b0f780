/** A worker or the arbiter runs out of descriptors: no request is lost, and the server recovers by itself. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, isAlive, startCommand, until } from "../support/command.ts";
import { leaveDescriptors } from "../support/descriptor-limit.ts";
import { FaultStage } from "../support/fault-stage.ts";

const SKIP = process.platform === "linux" ? false : "takes prlimit and /proc";

/** The words of a shell that limits the descriptors of the server and of each worker. */
const limited = (limit: number): string[] => ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"];

test("a worker whose app leaks descriptors stops accepting, logs it, and is replaced", {
  skip: SKIP,
}, async (context) => {
  const stage = await FaultStage.start(context, {
    workers: 2,
    app: "leaks.mjs",
    prefix: limited(200),
    prepare: (folder) => copyFileSync(join(FIXTURES, "faults", "mirror.mjs"), join(folder, "mirror.mjs")),
  });
  const before = await stage.settled();
  const leaking = Number((await ask({ port: stage.port }, "/leak?165")).text);
  assert.ok(before.includes(leaking));
  // One connection at a time may still find a free descriptor; the load shows the shortage.
  await stage.load();
  await stage.command.line(/This worker has \d+ of 200 file descriptors open: it accepts no connections/);
  await stage.command.line(new RegExp(`Worker \\(pid: ${leaking}\\) has \\d+ open file descriptors`));
  await until("it is gone", () => !isAlive(leaking));
  assert.equal((await stage.settled()).length, 2);
  await stage.more(20);
  await stage.assertNothingLost(20);
  await stage.end();
});

for (const app of ["pool/echo.mjs:handler", "pool/listener.cjs"]) {
  test(`more clients than descriptors wait and are answered, of ${app}`, { skip: SKIP }, async (context) => {
    const command = startCommand(context, [app, "-w", "1", "-b", "127.0.0.1:0"], { prefix: limited(128) });
    await command.ready();
    const target = { host: "127.0.0.1", port: await command.port() };
    const answers = await Promise.all(Array.from({ length: 400 }, () => ask(target)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(command.workers().length, 1);
    assert.equal((await command.end()).code, 0);
  });
}

test("an arbiter at its limit reloads, scales, replaces, responds and upgrades, and refills its reserve", {
  skip: SKIP,
}, async (context) => {
  const stage = await FaultStage.start(context, { workers: 2, args: ["--control-socket", "app.ctl"] });
  const { command } = stage;
  const control = join(stage.folder, "app.ctl");
  await stage.load();
  // The lowest free number is beyond the limit.
  leaveDescriptors(command.pid, 0);
  await command.line(/The arbiter is almost out of file descriptors/);

  const { status } = await requestControl(control, "GET", "/status");
  assert.equal(status, 200);
  command.kill("SIGHUP");
  await command.ready(2);
  command.kill("SIGTTIN");
  await stage.settled(3);
  command.kill("SIGTTOU");
  const [killed = 0] = await stage.settled(2);
  await stage.assertNothingLost(20);
  process.kill(killed, "SIGKILL");
  await until("it is replaced", () => command.workers().length === 2 && !command.workers().includes(killed));
  assert.equal((await requestControl(control, "POST", "/reload")).status, 200);

  command.kill("SIGUSR2");
  await command.line(/The previous arbiter .* has exited/);
  assert.equal((await ask({ port: stage.port }, "/")).status, 200);
  assert.equal(command.lines(/The arbiter is almost out of file descriptors/).length, 1);
  assert.doesNotMatch(command.stderr, /Unhandled|Uncaught|EMFILE|TypeError/);
  const [, next = 0] = command.arbiters();
  process.kill(next, "SIGTERM");
  await until("the new arbiter is gone", () => !isAlive(next));
});

test("an arbiter with many sockets starts workers at the cost of its reserve", {
  skip: SKIP,
}, async (context) => {
  const binds = Array.from({ length: 16 }, () => ["-b", "127.0.0.1:0"]).flat();
  const command = startCommand(context, ["pool/echo.mjs:handler", ...binds]);
  await command.ready();
  // Enough that it keeps its reserve, but fewer than a worker with so many sockets needs.
  leaveDescriptors(command.pid, 20);
  command.kill("SIGHUP");
  await command.ready(2);
  await command.line(/The arbiter is almost out of file descriptors and uses its reserve/);
  assert.equal((await command.end()).code, 0);
});
