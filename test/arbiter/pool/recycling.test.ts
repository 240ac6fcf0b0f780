/** Replacing healthy workers: the rules as data, and the built command. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { firstBoot } from "../../../src/arbiter/pool/desired.ts";
import { Pool } from "../../../src/arbiter/pool/pool.ts";
import { Recycling } from "../../../src/arbiter/pool/recycling.ts";
import { makeConfig } from "../../../src/config/config.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";
import { ask } from "../../support/ask.ts";
import { startCommand, temporaryFolder, until } from "../../support/command.ts";

const MB = 2 ** 20;

describe("memory", () => {
  test("a slot whose workers always exceed the limit is not recycled again and again", (context) => {
    const limits = { boot: 1000, graceful: 1000, silence: Number.POSITIVE_INFINITY, crashes: undefined };
    const spawned: number[] = [];
    let now = 0;
    const effects = {
      spawn: (id: number) => spawned.push(id),
      order: () => {},
      kill: () => {},
      overdue: () => {},
      bootFailed: () => {},
      unstarted: () => {},
      established: () => {},
      substitute: () => undefined,
      abandoned: () => {},
      limits: () => limits,
    };
    const pool = new Pool(firstBoot(1, 1, limits), effects, () => now);
    const config = makeConfig([{ values: { maxMemory: "100MB" }, origin: () => "a test" }]);
    const recycling = new Recycling({
      pool,
      log: new ErrorLog({ level: "critical" }),
      pidOf: (id) => id,
      configOf: () => config,
      post: () => {},
    });
    context.after(() => recycling.stop());
    const bootAndWeigh = (id: number, bytes: number): void => {
      pool.settle();
      pool.workerReady(id);
      pool.settle();
      recycling.checkMemory(new Map([[id, bytes]]));
      pool.settle();
    };
    bootAndWeigh(1, 100 * MB);
    assert.deepEqual(spawned, [1], "what is within the limit stays");
    bootAndWeigh(1, 101 * MB);
    assert.deepEqual(spawned, [1, 2]);
    bootAndWeigh(2, 101 * MB);
    pool.workerGone(1, "exited with code 0");
    now += 59_999;
    bootAndWeigh(2, 101 * MB);
    assert.deepEqual(spawned, [1, 2], "the slot rests for a minute");
    now += 1;
    bootAndWeigh(2, 101 * MB);
    assert.deepEqual(spawned, [1, 2, 3]);
  });

  test("--max-memory replaces a worker that has grown", async (context) => {
    const args = ["pool/grows.mjs:handler", "-b", "127.0.0.1:0", "--max-memory", "250MB"];
    const command = startCommand(context, args);
    await command.ready();
    const target = { port: await command.port() };
    const [first] = command.workers() as [number];
    assert.equal(Number((await ask(target, "/grow?300")).text), first);
    await command.line(
      new RegExp(
        `\\[WARNING\\] Worker \\(pid: ${first}\\) uses 3.*MB of memory, more than 250\\.0MB: replacing it`,
      ),
    );
    await until("another answers", async () => Number((await ask(target)).text) !== first);
    await until("it is gone", () => !command.workers().includes(first));
    assert.equal(command.workers().length, 1);
    assert.deepEqual(command.lines(/\[ERROR\]/), []);
  });
});

for (const app of ["pool/echo.mjs:handler", "pool/listener.cjs"]) {
  test(`--max-requests replaces each worker of ${app} by a ready one`, async (context) => {
    const limit = ["--max-requests", "15", "--max-requests-jitter", "5"];
    const command = startCommand(context, [app, "-b", "127.0.0.1:0", "-w", "2", ...limit]);
    await command.ready();
    const target = { port: await command.port() };
    const seen = new Set<string>();
    await until("several generations of workers have answered", async () => {
      const { status, text } = await ask(target);
      assert.equal(status, 200);
      seen.add(text.split(" ")[0] as string);
      return seen.size >= 6;
    });
    const [line] = command.lines(/has served \d+ requests: replacing it$/);
    const amount = Number(/served (\d+)/.exec(line ?? "")?.[1]);
    assert.ok(amount >= 15 && amount <= 20, line);
    assert.deepEqual(command.lines(/\[(WARNING|ERROR)\]/), []);
    assert.equal((await command.end()).code, 0);
  });
}

test("--max-lifetime replaces idle workers", async (context) => {
  const lifetime = ["--max-lifetime", "1s", "--max-lifetime-jitter", "500ms", "--linger", "0"];
  const command = startCommand(context, [
    "pool/echo.mjs:handler",
    "-b",
    "127.0.0.1:0",
    "-w",
    "2",
    ...lifetime,
  ]);
  await command.ready();
  const first = command.workers();
  await until("both are others", () => {
    const now = command.workers();
    assert.ok(now.length <= 3, "at most one more than wanted");
    return now.length === 2 && !now.some((pid) => first.includes(pid));
  });
  assert.match(await command.line(/has served for 1(\.\d+)?s: replacing it$/), /\[INFO\]/);
  assert.deepEqual(command.lines(/\[(WARNING|ERROR)\]/), []);
});

test("a worker stays while its replacement cannot boot", async (context) => {
  const folder = temporaryFolder(context);
  const app = join(folder, "app.mjs");
  writeFileSync(app, "export const handler = (_, respond) => respond(200, null, String(process.pid));\n");
  const args = ["app.mjs:handler", "-b", "127.0.0.1:0", "--max-lifetime", "1s"];
  const command = startCommand(context, args, { cwd: folder });
  await command.ready();
  const target = { port: await command.port() };
  const [first] = command.workers() as [number];
  writeFileSync(app, "throw new Error('half a deploy');\n");
  await command.line(/failed to boot: .*half a deploy/, 3);
  assert.equal(Number((await ask(target)).text), first);
  writeFileSync(app, "export const handler = (_, respond) => respond(200, null, 'mended');\n");
  await until("its replacement answers", async () => (await ask(target)).text === "mended");
});
