/** The pool through the built command: boot, crashes, and the two ways to stop. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { isAlive, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

async function serve(
  context: TestContext,
  app: string,
  ...args: string[]
): Promise<{ command: RunningCommand; target: { port: number } }> {
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", ...args]);
  await command.ready();
  return { command, target: { port: await command.port() } };
}

test("the log has gunicorn's lines", async (context) => {
  const { command } = await serve(context, "pool/echo.mjs:handler", "-w", "2");
  const pids = command.workers();
  assert.equal(pids.length, 2);
  await command.end();
  const log = command.stderr.split("\n").map((line) => line.replace(/^\[[^\]]+\] /, ""));
  const by = `[${command.pid}] [INFO]`;
  assert.match(log[0] ?? "", /Starting tsgun \d+\.\d+\.\d+$/);
  assert.match(log[1] ?? "", new RegExp(`Listening at: http://127\\.0\\.0\\.1:\\d+ \\(${command.pid}\\)$`));
  for (const line of log) assert.ok(line === "" || line.startsWith(by), line);
  for (const pid of pids) {
    assert.ok(log.includes(`${by} Booting worker with pid: ${pid}`));
    assert.ok(log.includes(`${by} Worker exiting (pid: ${pid})`));
  }
  assert.ok(log.includes(`${by} Using worker: gateway handler`));
  assert.ok(log.includes(`${by} Handling signal: term`));
  assert.equal(log.at(-2), `${by} Shutting down: Master`);
  assert.match(command.stderr, /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[INFO\] /);
});

test("a node listener is served too", async (context) => {
  const { command, target } = await serve(context, "pool/listener.cjs");
  assert.match((await ask(target, "/a?b=c")).text, / GET \/a\?b=c\n$/);
  await command.end();
});

test("startup runs first and shutdown last, and the drain signal is given", async (context) => {
  const { command, target } = await serve(context, "pool/life.mjs", "-w", "2");
  assert.match((await ask(target)).text, /^state [12]\n$/);
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  const said = command.stdout.trim().split("\n").sort();
  assert.deepEqual(said, ["drain 1", "drain 2", "shutdown 1", "shutdown 2", "startup 1 1", "startup 2 1"]);
});

describe("TERM", () => {
  test("finishes every request in flight and exits with 0", async (context) => {
    const { command, target } = await serve(context, "pool/echo.mjs:handler", "-w", "2");
    const pids = command.workers();
    const answers = Array.from({ length: 20 }, (_, number) => ask(target, "/slow?500", `request ${number}`));
    // A request on each worker shows that those before it have arrived: the kernel keeps their order.
    const seen = new Set<number>();
    await until("both workers have answered", async () => {
      seen.add(Number((await ask(target)).text.split(" ")[0]));
      return seen.size === 2;
    });
    command.kill("SIGTERM");
    for (const [number, answer] of (await Promise.all(answers)).entries()) {
      assert.equal(answer.status, 200);
      assert.ok(answer.text.endsWith(` request ${number}`), answer.text);
    }
    assert.deepEqual(await command.ended(), { code: 0, signal: null });
    assert.ok(!pids.some(isAlive));
  });

  for (const kind of ["TCP", "Unix"] as const) {
    test(`clients that connect while requests are finished are not kept waiting: ${kind}`, async (context) => {
      const folder = temporaryFolder(context);
      const path = join(folder, "app.sock");
      const bind = kind === "Unix" ? `unix:${path}` : "127.0.0.1:0";
      const command = startCommand(context, ["pool/life.mjs", "--bind", bind]);
      await command.ready();
      const target = kind === "Unix" ? { path } : { port: await command.port() };
      const never = ask(target, "/never").catch((error: Error) => error);
      assert.equal((await ask(target)).status, 200);
      command.kill("SIGTERM");
      await until("connections are refused", async () => {
        const code = await ask(target).then(
          () => "an answer",
          (error: NodeJS.ErrnoException) => error.code,
        );
        return code === (kind === "Unix" ? "ENOENT" : "ECONNREFUSED");
      });
      assert.equal(command.workers().length, 1, "the request that has begun is still there");
      await command.end("SIGINT");
      assert.ok((await never) instanceof Error);
    });
  }

  test("after the graceful timeout requests are cut and the app is shut down", async (context) => {
    const { command, target } = await serve(context, "pool/life.mjs", "--graceful-timeout", "300ms");
    const [worker] = command.workers();
    const never = ask(target, "/never").catch((error: Error) => error);
    assert.equal((await ask(target)).status, 200);
    assert.deepEqual(await command.end(), { code: 0, signal: null });
    assert.ok((await never) instanceof Error);
    const told = `Worker \\(pid: ${worker}\\) has not finished within --graceful-timeout`;
    assert.equal(command.lines(new RegExp(told)).length, 1);
    assert.doesNotMatch(command.stderr, /is killed/);
    assert.match(command.stdout, /shutdown 1/);
    assert.ok(!isAlive(worker as number));
  });

  test("a second TERM does not wait for requests in flight", async (context) => {
    const { command, target } = await serve(context, "pool/life.mjs");
    const never = ask(target, "/never").catch((error: Error) => error);
    assert.equal((await ask(target)).status, 200);
    command.kill("SIGTERM");
    const asked = performance.now();
    await until("it is no repetition within a moment", () => performance.now() - asked > 600);
    command.kill("SIGTERM");
    await command.ended();
    assert.equal(command.exit?.code, 0);
    assert.ok((await never) instanceof Error);
    assert.match(command.stdout, /shutdown 1/);
  });

  test("to a worker replaces it, and its requests finish", async (context) => {
    const { command, target } = await serve(context, "pool/echo.mjs:handler");
    const [first] = command.workers();
    const slow = ask(target, "/slow?300", "slow");
    await ask(target);
    process.kill(first as number, "SIGTERM");
    await until("another worker answers", async () => {
      const [pid] = (await ask(target)).text.split(" ");
      return Number(pid) !== first;
    });
    assert.equal((await slow).text, `${first} slow`);
    await until("the first is gone", () => !command.workers().includes(first as number));
    assert.deepEqual(command.lines(/\[(ERROR|WARNING)\]/), []);
  });
});

for (const signal of ["SIGINT", "SIGQUIT"] as const) {
  test(`${signal} stops quickly, and the apps are shut down`, async (context) => {
    const { command, target } = await serve(context, "pool/life.mjs");
    const never = ask(target, "/never").catch((error: Error) => error);
    assert.equal((await ask(target)).status, 200);
    assert.deepEqual(await command.end(signal), { code: 0, signal: null });
    assert.ok((await never) instanceof Error);
    assert.match(command.stdout, /shutdown 1/);
    assert.deepEqual(command.lines(/killed/), []);
  });
}

for (const signal of ["SIGINT", "SIGQUIT"] as const) {
  test(`${signal} to a worker ends it at once, and another takes its place`, async (context) => {
    const { command, target } = await serve(context, "pool/life.mjs", "--crash-limit", "1/600s");
    const [first] = command.workers();
    const never = assert.rejects(ask(target, "/never"));
    assert.equal((await ask(target)).status, 200);
    process.kill(first as number, signal);
    await never;
    await until("the first is gone", () => !isAlive(first as number));
    assert.equal((await ask(target)).status, 200);
    assert.deepEqual(command.lines(/\[(ERROR|WARNING)\]/), []);
    assert.match(command.stdout, /shutdown 1/);
  });
}

test("a blocked worker does not prevent the stop", async (context) => {
  const { command, target } = await serve(context, "pool/blocks.mjs:handler", "--graceful-timeout", "300ms");
  const answer = ask(target, "/block").catch((error: Error) => error);
  await until("the worker is blocked", () => command.stdout.includes("blocked"));
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  assert.ok((await answer) instanceof Error);
});

test("when the arbiter is killed its workers exit, and the port is free", async (context) => {
  const { command, target } = await serve(context, "pool/echo.mjs:handler", "-w", "2");
  const workers = command.workers();
  await command.end("SIGKILL");
  await until("no worker is left", () => !workers.some(isAlive), 2000);
  const next = startCommand(context, ["pool/echo.mjs:handler", "-b", `127.0.0.1:${target.port}`]);
  await next.ready();
});

test("USR1 never opens a debugger, neither in the arbiter nor in a worker", async (context) => {
  const { command, target } = await serve(context, "pool/echo.mjs:handler");
  const [worker] = command.workers();
  command.kill("SIGUSR1");
  process.kill(worker as number, "SIGUSR1");
  await command.line(/Handling signal: usr1/);
  assert.equal((await ask(target)).status, 200);
  assert.deepEqual(command.workers(), [worker]);
  await command.end();
  assert.doesNotMatch(command.stderr, /Debugger listening/);
});
