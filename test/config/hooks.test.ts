/** The hooks of a configuration file through the built command: in which process, in which order, and when they fail. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { HOOK_NAMES } from "../../src/config/hooks.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { head, raw } from "../support/logged-app.ts";

interface Note {
  readonly pid: number;
  readonly name: string;
  readonly facts: string;
}

interface Stage {
  readonly command: RunningCommand;
  /** The notes of the hooks so far. */
  notes(): Note[];
  /** Waits for a hook, or for the nth time it runs. */
  note(name: string, nth?: number): Promise<Note>;
  /** The file for which a hook waits before it fails. */
  readonly sign: string;
}

function start(context: TestContext, env: NodeJS.ProcessEnv = {}, args: string[] = []): Stage {
  const folder = temporaryFolder(context);
  const log = join(folder, "hooks.log");
  const sign = join(folder, "sign");
  writeFileSync(log, "");
  const command = startCommand(context, args, {
    cwd: join(FIXTURES, "hooks"),
    env: { HOOK_LOG: log, HOOK_FAILS_LATER: sign, ...env },
  });
  const notes = (): Note[] =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [, pid, name = "", facts = ""] = /^(\d+) (\w+) ?(.*)$/.exec(line) ?? [];
        return { pid: Number(pid), name, facts };
      });
  const note = (name: string, nth = 1): Promise<Note> =>
    until(`the hook ${name} has run`, () => notes().filter((one) => one.name === name)[nth - 1]);
  return { command, notes, note, sign };
}

const names = (notes: readonly Note[]): string[] => notes.map(({ name }) => name);

test("each hook runs in its process, in order: start, request, scale, crash, reload, stop", async (context) => {
  const { command, notes, note } = start(context);
  await command.ready();
  const target = { port: await command.port() };
  const [worker] = command.workers() as [number];
  assert.deepEqual(notes(), [
    { pid: command.pid, name: "onStarting", facts: `${command.pid} 1` },
    { pid: command.pid, name: "whenReady", facts: "1" },
    { pid: command.pid, name: "nworkersChanged", facts: "1 " },
    { pid: command.pid, name: "preFork", facts: "1 1" },
    { pid: worker, name: "postFork", facts: "1 1" },
    { pid: worker, name: "app", facts: "" },
    { pid: worker, name: "postWorkerInit", facts: "1" },
  ]);
  await command.line(new RegExp(`\\[${worker}\\] \\[INFO\\] a hook's own line`));

  let seen = notes().length;
  const since = (): Note[] => {
    const news = notes().slice(seen);
    seen += news.length;
    return news;
  };

  assert.equal((await ask(target, "/there?q")).text, "answered");
  await note("postRequest");
  assert.deepEqual(since(), [
    { pid: worker, name: "preRequest", facts: "GET /there" },
    { pid: worker, name: "handle", facts: "" },
    { pid: worker, name: "postRequest", facts: "/there 200 true" },
  ]);

  assert.equal((await ask(target, "/fail")).status, 500);
  assert.match((await note("postRequest", 2)).facts, /^\/fail 500/);
  since();

  command.kill("SIGTTIN");
  await note("postWorkerInit", 2);
  const scaled = since();
  assert.deepEqual(names(scaled), ["nworkersChanged", "preFork", "postFork", "app", "postWorkerInit"]);
  assert.equal(scaled[0]?.facts, "2 1");

  const second = scaled.at(-1)?.pid as number;
  await until("both workers serve", () => command.workers().length === 2);
  process.kill(second, "SIGKILL");
  const ended = await note("childExit");
  assert.deepEqual(ended, { pid: command.pid, name: "childExit", facts: `${second} 2  SIGKILL false` });
  await note("postWorkerInit", 3);
  since();

  command.kill("SIGHUP");
  await command.ready(2);
  await until("the old workers are gone", () => command.workers().length === 1);
  await note("childExit", 3);
  const reloaded = since();
  assert.equal(reloaded[0]?.name, "onReload");
  assert.equal(reloaded[0]?.pid, command.pid);
  assert.deepEqual(
    // The file says one worker again, which counts once there is a new one.
    names(reloaded).filter((name) => /^(nworkersChanged|preFork|childExit)$/.test(name)),
    ["preFork", "nworkersChanged", "childExit", "childExit"],
  );

  const [last] = command.workers() as [number];
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  assert.deepEqual(since(), [
    { pid: last, name: "workerExit", facts: "" },
    { pid: command.pid, name: "childExit", facts: `${last} 1 0  true` },
    { pid: command.pid, name: "onExit", facts: "app.mjs" },
  ]);
});

test("a quick stop and an upgrade run their hooks", async (context) => {
  const { command, note } = start(context);
  await command.ready();
  const [worker] = command.workers() as [number];
  command.kill("SIGUSR2");
  assert.equal((await note("preExec")).pid, command.pid);
  // The new arbiter starts as any other does.
  const started = await note("onStarting", 2);
  assert.notEqual(started.pid, command.pid);
  await note("postWorkerInit", 2);
  assert.equal((await note("workerExit")).pid, worker);
  assert.equal((await note("onExit")).pid, command.pid);
  process.kill(started.pid, "SIGINT");
  assert.notEqual((await note("workerInt")).pid, worker);
  assert.equal((await note("onExit", 2)).pid, started.pid);
});

test("a stuck worker runs workerAbort on top of the blocking code; SIGABRT runs it too", async (context) => {
  const { command, note, notes } = start(context, {}, ["--timeout", "4s"]);
  await command.ready();
  const [worker] = command.workers() as [number];
  const lost = assert.rejects(ask({ port: await command.port() }, "/stuck"));
  assert.equal((await note("workerAbort")).pid, worker);
  await lost;
  assert.match((await note("childExit")).facts, new RegExp(`^${worker} 1 .* false$`));
  await note("postWorkerInit", 2);
  const next = notes().at(-1)?.pid as number;
  await until("the next one serves", () => command.workers().includes(next));
  process.kill(next, "SIGABRT");
  assert.equal((await note("workerAbort", 2)).pid, next);
  assert.match((await note("childExit", 2)).facts, new RegExp(`^${next} 1  SIGABRT false$`));
});

test("request hooks also run around a node listener", async (context) => {
  const { command, note, notes } = start(context, { HOOK_APP: "listener.mjs" });
  await command.ready();
  assert.equal((await ask({ port: await command.port() }, "/x")).text, "answered");
  await note("postRequest");
  assert.deepEqual(
    notes()
      .slice(-2)
      .map(({ name, facts }) => `${name} ${facts}`),
    ["preRequest GET /x", "postRequest /x 200 true"],
  );
});

for (const app of ["app.mjs", "listener.mjs"]) {
  test(`a failing preRequest yields a 500 response and is named in the log: ${app}`, async (context) => {
    const { command, notes } = start(context, { HOOK_APP: app, HOOK_FAILS: "preRequest" });
    await command.ready();
    const target = { port: await command.port() };
    assert.equal((await ask(target, "/x")).status, 500);
    assert.equal((await ask(target, "/x")).status, 500);
    await command.line(/Error handling request GET \/x \([\w-]+\)$/, 2);
    await command.line(/the hook preRequest failed/, 2);
    await command.line(/preRequest says no/, 2);
    assert.ok(!names(notes()).includes("handle"));
  });
}

test("an upgrade whose preRequest fails is refused and logged, with the id that the access log has", async (context) => {
  const file = join(temporaryFolder(context), "access.log");
  const access = ["--access-logfile", file, "--access-logformat", "%(U)s %(s)s %(id)s"];
  const { command } = start(context, { HOOK_APP: "listener.mjs", HOOK_FAILS: "preRequest" }, access);
  await command.ready();
  const fields = ["Connection: upgrade", "Upgrade: echo"];
  assert.match(await raw(await command.port(), head("/up", ...fields)), /^HTTP\/1\.1 500 /);
  const [, id] = /request GET \/up \(([\w-]+)\)$/.exec(await command.line(/Error handling request/)) ?? [];
  await command.line(/preRequest says no/);
  assert.equal((await command.end()).code, 0);
  assert.equal(readFileSync(file, "utf8"), `/up 500 ${id}\n`);
});

for (const name of ["onStarting", "whenReady"]) {
  test(`a failing ${name} aborts the start`, async (context) => {
    const { command, notes } = start(context, { HOOK_FAILS: name });
    assert.equal((await command.ended()).code, 1);
    await command.line(new RegExp(`\\[ERROR\\] The hook ${name} failed`));
    assert.equal(command.stderr.trim().split("\n").at(-1), `tsgun: the hook ${name} failed: ${name} says no`);
    assert.ok(!names(notes()).includes("preFork"));
  });
}

for (const name of ["preFork", "postFork", "postWorkerInit"]) {
  test(`a failing ${name} fails the worker's boot`, async (context) => {
    const { command, sign } = start(context, { HOOK_LATER: name });
    await command.ready();
    const before = command.workers();
    writeFileSync(sign, "");
    command.kill("SIGHUP");
    await command.line(
      new RegExp(`Reload failed, generation 1 stays: the hook ${name} failed: .*${name} says no`),
    );
    await until("the old workers are alone again", () => command.workers().length === 1);
    assert.deepEqual(command.workers(), before);
    await command.end();
    const { command: fresh } = start(context, { HOOK_FAILS: name });
    assert.equal((await fresh.ended()).code, 3);
    assert.match(fresh.stderr, new RegExp(`the hook ${name} failed: .*${name} says no`));
  });
}

for (const [name, signal, said] of [
  ["onReload", "SIGHUP", "Reload failed, generation 1 stays: the hook onReload failed: onReload says no"],
  ["preExec", "SIGUSR2", "Upgrade refused: the hook preExec failed: preExec says no"],
] as const) {
  test(`a failing ${name} aborts its operation, and the server keeps serving`, async (context) => {
    const { command, sign } = start(context, { HOOK_LATER: name });
    await command.ready();
    const before = command.workers();
    writeFileSync(sign, "");
    command.kill(signal);
    await command.line(new RegExp(said));
    assert.deepEqual(command.workers(), before);
    assert.equal((await ask({ port: await command.port() })).text, "answered");
    assert.equal((await command.end()).code, 0);
  });
}

for (const name of ["nworkersChanged", "childExit", "workerInt", "workerExit", "onExit", "postRequest"]) {
  test(`a failing ${name} is only logged`, async (context) => {
    const { command } = start(context, { HOOK_FAILS: name });
    await command.ready();
    assert.equal((await ask({ port: await command.port() })).text, "answered");
    if (name === "postRequest") await command.line(/The hook postRequest failed/);
    assert.equal((await command.end(name === "workerInt" ? "SIGINT" : "SIGTERM")).code, 0);
    await command.line(new RegExp(`\\[ERROR\\] The hook ${name} failed`));
    await command.line(new RegExp(`${name} says no`));
  });
}

for (const name of ["onStarting", "whenReady"]) {
  test(`${name} that is never done ends the start in time`, async (context) => {
    const { command } = start(context, { HOOK_HANGS: name }, ["--boot-timeout", "1s"]);
    assert.equal((await command.ended()).code, 1);
    const reason = `the hook ${name} failed: it did not finish within 1s`;
    assert.equal(command.stderr.trim().split("\n").at(-1), `tsgun: ${reason}`);
  });
}

describe("a hook that never finishes fails what it belongs to, and the next one succeeds", {
  concurrency: true,
}, () => {
  for (const [name, signal, said] of [
    [
      "onReload",
      "SIGHUP",
      /Reload failed, generation 1 stays: the hook onReload failed: it did not finish within 5s/,
    ],
    ["preExec", "SIGUSR2", /Upgrade refused: the hook preExec failed: it did not finish within 5s/],
    ["preFork", "SIGHUP", /Worker \(waiting for the hook preFork\) was not ready within 5s/],
  ] as const) {
    test(name, async (context) => {
      const { command, sign } = start(context, { HOOK_LATER: name, HOOK_HANGS: "later" }, [
        "--boot-timeout",
        "5s",
      ]);
      await command.ready();
      writeFileSync(sign, "");
      command.kill(signal);
      await command.line(said);
      rmSync(sign);
      command.kill("SIGHUP");
      await command.line(/Ready: generation \d+ serves/, 2);
      assert.equal((await command.end()).code, 0);
    });
  }
});

test("an uncaught error that the file or a hook leaves behind is logged, and the arbiter continues", async (context) => {
  for (const stray of ["rejects", "throws", "fetches"]) {
    const { command } = start(context, { HOOK_STRAY: stray });
    await command.ready();
    command.kill("SIGHUP");
    await command.ready(2);
    const error = /\[ERROR\] (Unhandled rejection|Uncaught exception) in the configuration file or a hook: /;
    // Once for whenReady, twice for onReload and what it does a moment later.
    await command.line(error, 2);
    assert.equal((await ask({ port: await command.port() })).text, "answered");
    assert.equal((await command.end()).code, 0);
  }
});

test("docs/hooks.md documents every hook", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "hooks.md"), "utf8");
  for (const name of HOOK_NAMES) assert.match(text, new RegExp(`\`${name}\\(`), name);
});
