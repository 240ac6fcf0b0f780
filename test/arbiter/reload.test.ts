/** Reloads and scaling through the built command, under a load of which nothing may be lost. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { Load } from "../support/load.ts";

interface Serving {
  readonly command: RunningCommand;
  readonly target: { readonly port: number };
  readonly folder: string;
  /** Replaces the app. */
  deploy(source: string): void;
}

async function serve(context: TestContext, ...args: string[]): Promise<Serving> {
  const folder = temporaryFolder(context);
  const app = join(folder, "app.mjs");
  copyFileSync(join(FIXTURES, "pool/echo.mjs"), app);
  const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0", ...args], { cwd: folder });
  await command.ready();
  const deploy = (source: string): void => {
    writeFileSync(`${app}.new`, source);
    renameSync(`${app}.new`, app);
  };
  return { command, target: { port: await command.port() }, folder, deploy };
}

const VERSION_2 = "export const handler = (_, respond) => respond(200, null, 'version 2');\n";

test("HUP serves the new version, with workers that are all new", async (context) => {
  const { command, target, deploy } = await serve(context, "-w", "2");
  const old = command.workers();
  deploy(VERSION_2);
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal((await ask(target)).text, "version 2");
  await until("the old workers are gone", () => command.workers().length === 2);
  for (const pid of command.workers()) assert.ok(!old.includes(pid));
});

for (const workers of ["1", "3"]) {
  for (const keepAlive of [true, false]) {
    const connections = keepAlive ? "kept connections" : "a connection each";
    test(`reloads and scaling with ${workers} workers under load with ${connections} lose nothing`, async (context) => {
      const { command, target } = await serve(context, "-w", workers);
      const load = new Load(context, target, { clients: 4, keepAlive });
      for (let generation = 2; generation <= 4; generation++) {
        const before = load.answered;
        await until("the load runs", () => load.answered > before + 10);
        command.kill("SIGHUP");
        await command.ready(generation);
        await until("the old workers are gone", () => command.workers().length === Number(workers));
      }
      command.kill("SIGTTIN");
      await until("there is one more", () => command.workers().length === Number(workers) + 1);
      // Kept connections stay where they are: only a new one can come to the new worker.
      await until("each of them answers", async () => {
        load.workers.add(Number((await ask(target)).text.split(" ")[0]));
        return command.workers().every((pid) => load.workers.has(pid));
      });
      command.kill("SIGTTOU");
      await until("there is one less", () => command.workers().length === Number(workers));
      await load.stop();
      assert.deepEqual(load.failures, []);
    });
  }
}

const BAD_DEPLOYS: [name: string, source: string, reason: RegExp][] = [
  ["a syntax error", "export const handler = (;\n", /app\.mjs/],
  ["a throw at import", "throw new Error('not today');\n", /not today/],
  ["no export", "export const other = 1;\n", /app\.mjs/],
  ["an exit", "process.exit(0);\n", /a worker exited with code 0 before it was ready/],
  [
    "a startup that never ends",
    "export default { handle() {}, startup: () => new Promise(() => {}) };\n",
    /within 1s/,
  ],
];

test("a bad deploy changes nothing, is told once, and the next good one serves", async (context) => {
  const { command, target, deploy } = await serve(context, "-w", "2", "--boot-timeout", "1s");
  const pids = command.workers();
  const load = new Load(context, target, { clients: 4, keepAlive: true });
  for (const [index, [name, source, reason]] of BAD_DEPLOYS.entries()) {
    deploy(source);
    command.kill("SIGHUP");
    assert.match(await command.line(/Reload failed, generation 1 stays: /, index + 1), reason, name);
    await until("its worker is gone", () => command.workers().length === 2);
    assert.deepEqual(command.workers(), pids, name);
  }
  await load.stop();
  assert.deepEqual(load.failures, []);
  assert.equal(command.lines(/Reload failed/).length, BAD_DEPLOYS.length);
  assert.equal(command.stderr.split("Error: not today\n    at ").length, 2, "the app's stack is told once");
  deploy(VERSION_2);
  command.kill("SIGHUP");
  await command.line(/Ready: generation \d+ serves/, 2);
  assert.equal((await ask(target)).text, "version 2");
});

test("twenty reloads at once leave one generation and as many workers as before", async (context) => {
  const { command, target } = await serve(context, "-w", "2");
  const load = new Load(context, target, { clients: 2, keepAlive: false });
  const old = command.workers();
  for (let number = 0; number < 20; number++) command.kill("SIGHUP");
  await command.line(/Ready: generation/, 2);
  // The last wish may have come behind the beginning of the first.
  await until("all is quiet", () => {
    const begun = command
      .lines(/Reloading: generation/)
      .at(-1)
      ?.split(" ")
      .at(-1);
    const ready = command.lines(new RegExp(`Ready: generation ${begun} `)).length === 1;
    return ready && command.workers().length === 2;
  });
  for (const pid of command.workers()) assert.ok(!old.includes(pid));
  await load.stop();
  assert.deepEqual(load.failures, []);
});

test("a link that is moved to a new release is followed, though the old one is gone", async (context) => {
  const folder = temporaryFolder(context);
  for (const release of ["one", "two"]) {
    mkdirSync(join(folder, release));
    const source = `export const handler = (_, respond) => respond(200, null, 'release ${release}');\n`;
    writeFileSync(join(folder, release, "app.mjs"), source);
  }
  const current = join(folder, "current");
  symlinkSync("one", current);
  const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0", "--chdir", current]);
  await command.ready();
  const target = { port: await command.port() };
  assert.equal((await ask(target)).text, "release one");
  symlinkSync("two", `${current}.new`);
  renameSync(`${current}.new`, current);
  rmSync(join(folder, "one"), { recursive: true });
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal((await ask(target)).text, "release two");
});

test("a folder entered by a link, as the shell does, is followed in the same way", async (context) => {
  const folder = temporaryFolder(context);
  for (const release of ["one", "two"]) {
    mkdirSync(join(folder, release));
    const source = `export const handler = (_, respond) => respond(200, null, 'release ${release}');\n`;
    writeFileSync(join(folder, release, "app.mjs"), source);
  }
  const current = join(folder, "current");
  symlinkSync("one", current);
  const env = { PWD: current };
  const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0"], { cwd: current, env });
  await command.ready();
  const target = { port: await command.port() };
  symlinkSync("two", `${current}.new`);
  renameSync(`${current}.new`, current);
  rmSync(join(folder, "one"), { recursive: true });
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal((await ask(target)).text, "release two");
});

test("TTOU goes down to no worker at all, TTIN up again", async (context) => {
  const { command, target } = await serve(context);
  command.kill("SIGTTOU");
  await until("none is left", () => command.workers().length === 0);
  command.kill("SIGTTIN");
  assert.equal((await ask(target)).status, 200);
});

test("WINCH sends the workers home, HUP brings them back", async (context) => {
  const { command, target } = await serve(context, "-w", "2");
  command.kill("SIGWINCH");
  await until("none is left", () => command.workers().length === 0);
  const waiting = ask(target, "/", "patient");
  command.kill("SIGHUP");
  await command.ready(2);
  assert.match((await waiting).text, /patient$/);
  assert.equal(command.workers().length, 2);
});
