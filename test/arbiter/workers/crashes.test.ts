/** Workers that die unexpectedly, through the built command. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { cgroupOf, readText } from "../../../src/system/cgroup.ts";
import { ask } from "../../support/ask.ts";
import { isAlive, type RunningCommand, startCommand, temporaryFolder, until } from "../../support/command.ts";

interface Stage {
  readonly command: RunningCommand;
  readonly target: { readonly port: number };
  /** While this file exists, every worker dies soon after it is ready. */
  readonly doom: string;
}

async function serve(context: TestContext, ...args: string[]): Promise<Stage> {
  const doom = join(temporaryFolder(context), "doom");
  const command = startCommand(context, ["pool/mortal.mjs", "-b", "127.0.0.1:0", ...args], {
    env: { DOOM: doom },
  });
  await command.ready();
  return { command, target: { port: await command.port() }, doom };
}

test("a killed worker is logged with its signal and replaced at once", async (context) => {
  const { command, target } = await serve(context);
  const [worker] = command.workers() as [number];
  process.kill(worker, "SIGKILL");
  assert.notEqual(Number((await ask(target)).text), worker);
  const line = await command.line(/\[ERROR\] Worker/);
  assert.match(
    line,
    new RegExp(`Worker \\(pid: ${worker}\\) was killed by SIGKILL \\(see tsgun why \\d+\\)$`),
  );
  assert.equal((await command.end()).code, 0);
});

/** The file in which the kernel counts the out-of-memory kills in this process's control group. */
function oomCounter(): string | undefined {
  const group = cgroupOf("memory")?.folders[0];
  const files = ["memory.events", "memory.oom_control"].map((name) => join(group ?? "/", name));
  return [...files, "/proc/vmstat"].find((file) => /^oom_kill /m.test(readText(file) ?? ""));
}

/** Runs the command that follows with another file in place of the counter, in a mount namespace of its own. */
const IN_PLACE = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"'];

function noNamespace(): string | false {
  if (oomCounter() === undefined) return "the kernel counts no out-of-memory kills here";
  const [program = "", ...words] = IN_PLACE.slice(0, 2);
  const { status } = spawnSync(program, [...words, "true"]);
  return status === 0 ? false : "needs root and new namespaces: run the tests as root on Linux";
}

test("a SIGKILL is logged as out of memory when the kernel has counted one", {
  skip: noNamespace(),
}, async (context) => {
  const counter = join(temporaryFolder(context), "counter");
  writeFileSync(counter, "oom_kill 7\n");
  const command = startCommand(context, ["pool/mortal.mjs", "-b", "127.0.0.1:0"], {
    prefix: [...IN_PLACE, counter, oomCounter() as string],
  });
  await command.ready();
  for (const [count, end] of [
    [7, "SIGKILL"],
    [8, "SIGKILL: out of memory"],
    [8, "SIGKILL"],
  ] as const) {
    writeFileSync(counter, `oom_kill ${count}\n`);
    const [worker] = await until(
      "it has its worker",
      () => command.workers().length === 1 && command.workers(),
    );
    process.kill(worker as number, "SIGKILL");
    await command.line(
      new RegExp(`Worker \\(pid: ${worker}\\) was killed by ${end} \\(see tsgun why \\d+\\)$`),
    );
  }
});

test("an uncaught error ends its worker and is logged with its stack and exit code", async (context) => {
  const { command, target } = await serve(context);
  await assert.rejects(ask(target, "/throw"));
  await command.line(/Worker \(pid: \d+\) exited with code 1 \(see tsgun why \d+\)$/);
  assert.match(command.stderr, /Error: not caught\n +at .*mortal\.mjs:/);
  assert.equal((await ask(target)).status, 200);
});

test("a worker that Node does not even start says where the reason is", async (context) => {
  const args = ["-b", "127.0.0.1:0", "-e", "NODE_OPTIONS=--no-such-option"];
  const command = startCommand(context, ["pool/mortal.mjs", ...args]);
  const { code } = await command.ended();
  const how = "exited with code 9 while Node started \\(its reason is on standard error\\)";
  assert.match(command.stderr, /--no-such-option is not allowed in NODE_OPTIONS/);
  assert.match(command.stderr, new RegExp(`\\[ERROR\\] Worker \\(pid: \\d+\\) ${how} \\(see tsgun why`));
  assert.match(command.stderr, new RegExp(`Reason: a worker ${how} before it was ready`));
  assert.notEqual(code, 0);
});

test("a series of deaths is logged occasionally, and ends without a wait once workers survive", async (context) => {
  const { command, target, doom } = await serve(context, "-w", "3");
  writeFileSync(doom, "");
  for (const pid of command.workers()) process.kill(pid, "SIGKILL");
  const first = await command.line(/workers have died \d+ times in a row$/);
  assert.match(first, /\[ERROR\] Worker \(pid: \d+\) exited with code 7 \(see tsgun why \d+\); /);
  const third = await command.line(/times in a row$/, 3);
  const deaths = Number(/died (\d+) times/.exec(third)?.[1]);
  // From the first such line on, boots are not logged and deaths rarely.
  const log = command.stderr.split("\n");
  const flood = log.slice(log.findIndex((text) => text.includes("times in a row")));
  assert.equal(flood.filter((text) => /\[ERROR\]/.test(text)).length, 3, command.stderr);
  assert.ok(deaths > command.lines(/exited with code 7/).length, third);
  assert.deepEqual(
    flood.filter((text) => /Booting/.test(text)),
    [],
  );
  rmSync(doom);
  assert.equal((await ask(target)).status, 200);
  assert.equal((await command.end()).code, 0);
});

describe("requests that a dead worker took along are named, and what the last ones have in common", () => {
  for (const app of ["faults/poison.mjs", "faults/poison-listener.cjs"]) {
    test(app, async (context) => {
      const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--log-level", "debug"]);
      await command.ready();
      const target = { port: await command.port() };
      const poison = async (how: string, end: string): Promise<void> => {
        await assert.rejects(ask(target, `/poison?${how}`));
        await command.line(new RegExp(`Worker \\(pid: \\d+\\) ${end}`));
      };
      await poison("throw", "exited with code 1");
      await poison("exit", "exited with code 5");
      for (const way of ["throw", "exit"])
        assert.match(
          command.stderr,
          new RegExp(
            `with code \\d \\(see tsgun why \\d+\\)\n +in flight: GET /poison\\?${way} \\(id .*ms\\)\n`,
          ),
        );
      // No JavaScript runs after a signal: the scoreboard has the requests.
      await poison("abort", "was killed by SIGABRT");
      assert.match(command.stderr, /SIGABRT.*\n +in flight: GET \/poison\?abort \(\d+ ms\)\n/);
      await poison("kill", "was killed by SIGKILL");
      assert.match(command.stderr, /SIGKILL.*\n +in flight: GET \/poison\?kill \(\d+ ms\)\n/);
      await command.line(
        /\[WARNING\] Possible cause of the crashes: GET \/poison was in flight in each of the last 3 deaths/,
      );
      assert.equal((await ask(target)).status, 200);
    });
  }
});

test("--crash-limit ends the server with exit code 3 and the reason", async (context) => {
  const { command, doom } = await serve(context, "-w", "2", "--crash-limit", "5/60s");
  const workers = command.workers();
  writeFileSync(doom, "");
  for (const pid of workers) process.kill(pid, "SIGKILL");
  assert.deepEqual(await command.ended(), { code: 3, signal: null });
  assert.match(
    command.stderr.trimEnd().split("\n").at(-1) ?? "",
    /\[ERROR\] Reason: 5 workers have died within 60s, which is the crash limit; the last one exited with code 7$/,
  );
  assert.ok(!workers.some(isAlive));
});

test("a worker that cannot be started is retried", async (context) => {
  const { command, target, doom } = await serve(context);
  writeFileSync(doom, "");
  process.kill(command.workers()[0] as number, "SIGKILL");
  await command.line(/times in a row/);
  const waiting = ask(target);
  rmSync(doom);
  assert.equal((await waiting).status, 200);
  await until("it is ready", () => command.workers().length === 1);
});
