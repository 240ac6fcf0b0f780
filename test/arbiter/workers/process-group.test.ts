/** Signals that reach the arbiter and its workers at once: from a terminal, a supervisor, or kill(1) with a group. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import { type RunningCommand, startCommand, until } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";

const ECHO = "pool/echo.mjs:handler";
const TIMES = 3;

/** A server that leads its own process group. */
function startGroup(context: TestContext, workers: number, ...args: string[]): RunningCommand {
  const words = [ECHO, "-w", `${workers}`, "-b", "127.0.0.1:0", "--linger", "50ms", ...args];
  return startCommand(context, words, { prefix: ["setsid"] });
}

/** Checks that the server ends with 0 and boots no worker after the signal. */
async function assertStops(command: RunningCommand, signal: NodeJS.Signals): Promise<void> {
  const booted = command.lines(/Booting worker/).length;
  process.kill(-command.pid, signal);
  assert.deepEqual(await command.ended(), { code: 0, signal: null });
  assert.equal(command.lines(/Booting worker/).length, booted, command.stderr);
  assert.equal(command.lines(/\[(?:ERROR|CRITICAL)\]/).length, 0, command.stderr);
}

for (const workers of [1, 4]) {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    test(`${signal} to the group stops ${workers} workers and replaces none, ${TIMES} times`, async (context) => {
      if (!hasComponent(context, "setsid", "util-linux")) return;
      for (let time = 0; time < TIMES; time++) {
        const command = startGroup(context, workers);
        await command.ready();
        await assertStops(command, signal);
      }
    });
  }
}

test("--drain-delay is skipped when the workers got the signal too", async (context) => {
  if (!hasComponent(context, "setsid", "util-linux")) return;
  const command = startGroup(context, 2, "--drain-delay", "60s");
  await command.ready();
  await assertStops(command, "SIGTERM");
});

test("booting workers end with the server", async (context) => {
  if (!hasComponent(context, "setsid", "util-linux")) return;
  const args = ["pool/hangs.mjs", "-w", "4", "-b", "127.0.0.1:0"];
  const command = startCommand(context, args, { prefix: ["setsid"] });
  await command.line(/Booting worker/, 4);
  await assertStops(command, "SIGTERM");
});

test("a worker that gets the signal alone is replaced", async (context) => {
  const command = startGroup(context, 2);
  await command.ready();
  const [first] = command.workers();
  process.kill(first as number, "SIGTERM");
  await command.line(/Booting worker/, 3);
  await until("there are two workers, without the first", () => {
    const pids = command.workers();
    return pids.length === 2 && !pids.includes(first as number);
  });
  assert.equal((await command.end()).code, 0);
});

test("signals to the arbiter alone leave the workers as they are", async (context) => {
  if (!hasComponent(context, "setsid", "util-linux")) return;
  const command = startGroup(context, 1);
  await command.ready();
  const [first] = command.workers();
  for (const signal of ["SIGTTIN", "SIGTTOU"] as const) {
    process.kill(-command.pid, signal);
    await command.line(new RegExp(`Handling signal: ${signal.slice(3).toLowerCase()}`));
  }
  await until("the second worker is gone", () => {
    const pids = command.workers();
    return command.lines(/Booting worker/).length === 2 && pids.length === 1 && pids[0] === first;
  });
  assert.match(readFileSync(join("/proc", `${first}`, "stat"), "latin1"), /\) [RS] /);
  process.kill(-command.pid, "SIGHUP");
  await command.ready(2);
  assert.equal(command.lines(/was killed|\[ERROR\]/).length, 0, command.stderr);
  assert.equal((await ask({ port: await command.port() })).status, 200);
  assert.equal((await command.end()).code, 0);
});
