/** A worker whose event loop does not turn, through the built command: it is told of, killed and replaced. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import {
  childrenOf,
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  until,
} from "../support/command.ts";

const APP = "pool/stuck.ts";
const FOR_EVER = 3_600_000;

interface Stage {
  readonly command: RunningCommand;
  readonly target: { readonly port: number };
}

async function serve(context: TestContext, ...args: string[]): Promise<Stage> {
  const command = startCommand(context, [`${APP}:handler`, "-b", "127.0.0.1:0", ...args]);
  await command.ready();
  return { command, target: { port: await command.port() } };
}

/** `stuck.ts:LINE:` of the line of the fixture that holds `text`. */
function lineOf(text: string): string {
  const lines = readFileSync(join(FIXTURES, APP), "utf8").split("\n");
  return `stuck.ts:${lines.findIndex((line) => line.includes(text)) + 1}:`;
}

/** The request fails with its worker. */
function lost(stage: Stage, path: string): Promise<unknown> {
  return assert.rejects(ask(stage.target, path, "content"));
}

async function replaced(command: RunningCommand, worker: number, workers = 1): Promise<void> {
  await until("the worker is replaced", () => {
    const pids = command.workers();
    return !pids.includes(worker) && pids.length === workers;
  });
}

test("a loop: the log names file, line and request, the others serve, and the worker is killed", async (context) => {
  const stage = await serve(context, "-w", "2", "--timeout", "4s");
  const { command, target } = stage;
  const never = lost(stage, `/spin?${FOR_EVER}`);
  const report = await command.line(
    /\[ERROR\] Worker \d+: the event loop has been blocked for [23]\.\d s at$/,
  );
  const stuck = Number(/Worker (\d+)/.exec(report)?.[1]);
  assert.ok(command.workers().includes(stuck));
  const frames = command.lines(/^ {4}at /);
  // The clock that it asks has frames of its own.
  const spin = frames.find((frame) => frame.startsWith("    at spin ("));
  assert.ok(spin?.includes(lineOf("while (performance.now() < end)")), frames.join("\n"));
  assert.ok(
    frames.some((frame) => frame.includes(lineOf("block(Number(request.query))"))),
    frames.join("\n"),
  );
  assert.equal(command.lines(/^ {2}in flight: POST \/spin\?3600000 \(id \S+, [\d.]+ m?s\)$/).length, 1);
  for (let count = 0; count < 5; count++) assert.notEqual(Number((await ask(target)).text), stuck);
  await command.line(
    /\[CRITICAL\] WORKER TIMEOUT \(pid: \d+\): its event loop has not turned for more than 4s/,
  );
  await never;
  await replaced(command, stuck, 2);
  assert.equal((await ask(target)).status, 200);
  assert.deepEqual(await command.end(), { code: 0, signal: null });
});

test("a native call: said to be one, and the child it waits for is named and killed with the worker", async (context) => {
  const stage = await serve(context, "--timeout", "2s");
  const { command } = stage;
  const [worker] = command.workers() as [number];
  const never = lost(stage, `/native?${FOR_EVER}`);
  await command.line(/blocked for 1\.\d s, it seems in native code \(waiting in a system call\)/);
  const children = childrenOf(worker);
  assert.ok(children.length > 0);
  assert.match(command.stderr, /^ {2}child process \d+: .*sleep 3600/m);
  await command.line(/WORKER TIMEOUT/);
  await never;
  await replaced(command, worker);
  await until("the child is gone", () => !children.some(isAlive));
});

test("a worker that was stopped is not taken for a blocked one, and is replaced", async (context) => {
  const { command, target } = await serve(context, "--timeout", "1s");
  const [worker] = command.workers() as [number];
  process.kill(worker, "SIGSTOP");
  await command.line(/WORKER TIMEOUT \(pid: \d+\): it has been stopped \(by a SIGSTOP, say\)/);
  await replaced(command, worker);
  assert.notEqual(Number((await ask(target)).text), worker);
});

test("a loop that turns again in time is told of, and the worker stays", async (context) => {
  const { command, target } = await serve(context, "--timeout", "4s");
  const [worker] = command.workers() as [number];
  assert.equal(Number((await ask(target, "/spin?2600")).text), worker);
  await command.line(/\[ERROR\] Worker \d+: the event loop has been blocked/);
  await command.line(/\[WARNING\] Worker \d+: the event loop turns again after/);
  assert.deepEqual(command.lines(/WORKER TIMEOUT/), []);
});

test("with --timeout 0 a loop may stand still", async (context) => {
  const { command, target } = await serve(context, "--timeout", "0");
  const [worker] = command.workers() as [number];
  assert.equal(Number((await ask(target, "/spin?1500")).text), worker);
  assert.deepEqual(command.lines(/blocked|TIMEOUT/), []);
});

test("an app that blocks while it is loaded is told of before its boot timeout", async (context) => {
  const command = startCommand(
    context,
    [`${APP}:handler`, "-b", "127.0.0.1:0", "--timeout", "2s", "--boot-timeout", "4s"],
    { env: { BLOCK_AT_IMPORT: String(FOR_EVER) } },
  );
  await command.line(/\[ERROR\] Worker \d+: the event loop has been blocked/);
  assert.ok(command.lines(/^ {4}at spin /)[0]?.includes(lineOf("while (performance.now() < end)")));
  assert.equal((await command.ended()).code, 3);
  assert.match(command.stderr, /Reason: a worker was not ready within 4s\n$/);
});

test("when the arbiter is killed a blocked worker is gone in two seconds", async (context) => {
  const stage = await serve(context, "--timeout", "4s");
  const { command } = stage;
  const workers = command.workers();
  const never = lost(stage, `/spin?${FOR_EVER}`);
  await command.line(/blocked for/);
  command.kill("SIGKILL");
  await until("no worker is left", () => !workers.some(isAlive), 2000);
  await never;
  await until("it said why", () => /worker \d+: the arbiter has gone, ending/.test(command.stderr));
});

test("an arbiter that was stopped, with its workers or alone, holds nobody's silence against him", async (context) => {
  const { command, target } = await serve(context, "--timeout", "2s");
  const [worker] = command.workers() as [number];
  for (const pids of [[command.pid], [command.pid, worker]]) {
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    const end = performance.now() + 3500;
    await until("the timeout has passed", () => performance.now() > end);
    for (const pid of pids) process.kill(pid, "SIGCONT");
    const beats = performance.now() + 500;
    await until("the arbiter has had time to judge", () => performance.now() > beats);
    assert.equal(Number((await ask(target)).text), worker);
  }
  assert.deepEqual(command.lines(/TIMEOUT/), []);
  assert.deepEqual(command.workers(), [worker]);
});
