/**
 * A worker with a blocked event loop, through the built command: it is reported, killed and replaced. The timeouts are
 * many times what a report, or a worker on a busy machine, takes; the tests mostly wait for them, so they run side by side.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import {
  childrenOf,
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";

const APP = "pool/stuck.ts";

/** A file that never exists. */
const NEVER = "/nowhere/at/all";

/**
 * Waits for the report of the worker that is blocked by a request: its pid, its frames, and the log from then on. On a busy
 * machine other workers may be reported too, and this one before the request.
 */
async function reported(
  command: RunningCommand,
  request: string,
): Promise<{ worker: number; frames: string[]; rest(): string }> {
  const head = String.raw`\[ERROR\] Worker (\d+): the event loop has been blocked for \d+\.\d s at\n((?: {4}at .*\n)+)`;
  const inFlight = String.raw`  in flight: ${request.replace(/[.?]/g, "\\$&")} \(id \S+, [\d.]+ m?s\)\n`;
  const report = await until(
    "its report is logged",
    () => new RegExp(head + inFlight).exec(command.stderr) ?? undefined,
  );
  const end = report.index + report[0].length;
  return {
    worker: Number(report[1]),
    frames: (report[2] ?? "").split("\n"),
    rest: () => command.stderr.slice(end),
  };
}

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

describe("a worker whose event loop does not turn", { concurrency: true }, () => {
  test("in a loop: the log names file, line and request, other workers serve, and the worker is killed", async (context) => {
    const stage = await serve(context, "-w", "2", "--timeout", "6s");
    const { command, target } = stage;
    const never = lost(stage, `/wait?${NEVER}`);
    const { worker: stuck, frames } = await reported(command, `POST /wait?${NEVER}`);
    const loop = frames.find((frame) => frame.startsWith("    at wait ("));
    assert.ok(loop?.includes(lineOf("while (!existsSync(file))")), frames.join("\n"));
    assert.ok(
      frames.some((frame) => frame.includes(lineOf("block(request.query)"))),
      frames.join("\n"),
    );
    for (let count = 0; count < 5; count++) assert.notEqual(Number((await ask(target)).text), stuck);
    await command.line(
      new RegExp(
        `\\[CRITICAL\\] WORKER TIMEOUT \\(pid: ${stuck}\\): its event loop has not turned for more than 6s`,
      ),
    );
    await never;
    await replaced(command, stuck, 2);
    assert.equal((await ask(target)).status, 200);
    assert.deepEqual(await command.end(), { code: 0, signal: null });
  });

  test("in a native call: the log says so, and the child process is named and killed with the worker", async (context) => {
    const stage = await serve(context, "--timeout", "6s");
    const { command } = stage;
    const [worker] = command.workers() as [number];
    const never = lost(stage, "/native?3600");
    await command.line(/blocked for \d+\.\d s, probably in native code \(waiting in a system call\)/);
    await command.line(/^ {2}child process \d+: .*sleep 3600/m);
    const children = childrenOf(worker);
    assert.ok(children.length > 0);
    await command.line(new RegExp(`WORKER TIMEOUT \\(pid: ${worker}\\)`));
    await never;
    await replaced(command, worker);
    await until("the child is gone", () => !children.some(isAlive));
  });

  test("because it was stopped: it is not reported as blocked, and is replaced", async (context) => {
    const { command, target } = await serve(context, "--timeout", "4s");
    const [worker] = command.workers() as [number];
    process.kill(worker, "SIGSTOP");
    await command.line(
      new RegExp(
        `WORKER TIMEOUT \\(pid: ${worker}\\): its process has been stopped \\(SIGSTOP, for example\\)`,
      ),
    );
    await replaced(command, worker);
    assert.notEqual(Number((await ask(target)).text), worker);
  });

  test("but runs again in time: it is reported and stays", async (context) => {
    const { command, target } = await serve(context, "--timeout", "8s");
    const [worker] = command.workers() as [number];
    const gate = join(temporaryFolder(context), "gate");
    const answer = ask(target, `/wait?${gate}`);
    const { rest } = await reported(command, `GET /wait?${gate}`);
    writeFileSync(gate, "");
    assert.equal(Number((await answer).text), worker);
    await until("it is said to run again", () =>
      /\[WARNING\] Worker \d+: the event loop runs again after/.test(rest()),
    );
    assert.deepEqual(command.lines(/WORKER TIMEOUT/), []);
  });

  test("with --timeout 0 is not killed", async (context) => {
    const { command, target } = await serve(context, "--timeout", "0");
    const [worker] = command.workers() as [number];
    assert.equal(Number((await ask(target, "/native?1.5")).text), worker);
    assert.deepEqual(command.lines(/blocked|TIMEOUT/), []);
  });

  test("while its app loads is reported before its boot timeout", async (context) => {
    // Half of the time to boot is for what comes before the app. Its end is tested in boot-failure.test.ts.
    const command = startCommand(
      context,
      [`${APP}:handler`, "-b", "127.0.0.1:0", "--timeout", "4s", "--boot-timeout", "30s"],
      { env: { BLOCK_AT_IMPORT: NEVER } },
    );
    await command.line(/\[ERROR\] Worker \d+: the event loop has been blocked/);
    await command.line(/^ {4}at wait /);
    assert.ok(command.lines(/^ {4}at wait /)[0]?.includes(lineOf("while (!existsSync(file))")));
  });

  test("exits when the arbiter is killed, and logs why", async (context) => {
    const stage = await serve(context, "--timeout", "8s");
    const { command } = stage;
    const workers = command.workers();
    const never = lost(stage, `/wait?${NEVER}`);
    await command.line(/blocked for/);
    command.kill("SIGKILL");
    await until("no worker is left", () => !workers.some(isAlive));
    await never;
    await until("it said why", () => /worker \d+: the arbiter is gone, exiting/.test(command.stderr));
  });

  test("is not killed by an arbiter that was stopped itself, with its workers or alone", async (context) => {
    const socket = join(temporaryFolder(context), "ctl");
    const { command, target } = await serve(context, "--timeout", "4s", "--control-socket", socket);
    await until("it can be asked", () => existsSync(socket));
    const [worker] = command.workers() as [number];
    const counted = async (): Promise<number> => {
      const { text } = await ask({ path: socket }, "/workers");
      return (JSON.parse(text) as { requests: number }[])[0]?.requests ?? 0;
    };
    for (const pids of [[command.pid], [command.pid, worker]]) {
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      const end = performance.now() + 5500;
      await until("the timeout has passed", () => performance.now() > end);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      const before = await counted();
      assert.equal(Number((await ask(target)).text), worker);
      await until(
        "the arbiter has heard of it since, and so has judged",
        async () => (await counted()) > before,
      );
    }
    assert.deepEqual(command.lines(/TIMEOUT/), []);
    assert.deepEqual(command.workers(), [worker]);
  });
});
