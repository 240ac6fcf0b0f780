/** Reloads and scaling through the built command. What clients experience under load is in test/faults. */
import assert from "node:assert/strict";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  type CommandOptions,
  childrenOf,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { Releases } from "../../support/releases.ts";

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

test("HUP serves the new version with new workers", async (context) => {
  const { command, target, deploy } = await serve(context, "-w", "2");
  const old = command.workers();
  deploy(VERSION_2);
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal((await ask(target)).text, "version 2");
  await until("the old workers are gone", () => command.workers().length === 2);
  for (const pid of command.workers()) assert.ok(!old.includes(pid));
});

describe("a link moved to a new release is followed though the old release is gone", () => {
  const ways: { how: string; args(current: string): string[]; options(current: string): CommandOptions }[] = [
    {
      how: "named by --chdir",
      args: (current) => ["--chdir", current],
      options: () => ({}),
    },
    {
      how: "entered, as the shell does",
      args: () => [],
      options: (current) => ({ cwd: current, env: { PWD: current } }),
    },
  ];
  for (const { how, args, options } of ways) {
    test(how, async (context) => {
      const releases = new Releases(
        temporaryFolder(context),
        (name) => `export const handler = (_, respond) => respond(200, null, 'release ${name}');\n`,
      );
      const { current } = releases;
      const words = ["app.mjs", "-b", "127.0.0.1:0", ...args(current)];
      const command = startCommand(context, words, options(current));
      await command.ready();
      const target = { port: await command.port() };
      assert.equal((await ask(target)).text, "release one");
      releases.deploy();
      command.kill("SIGHUP");
      await command.ready(2);
      assert.equal((await ask(target)).text, "release two");
    });
  }
});

test("after a release failed to start, a dead worker is replaced from the serving release", async (context) => {
  const releases = new Releases(temporaryFolder(context), (name) =>
    name === "two"
      ? "throw new Error('no database');\n"
      : "export const handler = (request, respond) => respond(200, null, 'release one of ' + request.worker.pid);\n",
  );
  const words = ["app.mjs", "-b", "127.0.0.1:0", "--chdir", releases.current];
  const command = startCommand(context, words);
  await command.ready();
  const target = { port: await command.port() };
  releases.turn();
  command.kill("SIGHUP");
  await command.line(/Reload failed, generation 1 stays: .* no database/);
  await until("the candidate is gone", () => command.workers().length === 1);
  const [old] = command.workers();
  process.kill(old as number, "SIGKILL");
  const other = await until("another worker serves", () => command.workers().find((pid) => pid !== old));
  assert.equal((await ask(target)).text, `release one of ${other}`);
});

test("TTOU scales down to no worker, TTIN up again", async (context) => {
  const { command, target } = await serve(context);
  command.kill("SIGTTOU");
  await until("none is left", () => command.workers().length === 0);
  command.kill("SIGTTIN");
  assert.equal((await ask(target)).status, 200);
});

test("WINCH stops all workers, HUP starts them again", async (context) => {
  const { command, target } = await serve(context, "-w", "2");
  command.kill("SIGWINCH");
  await until("none is left", () => command.workers().length === 0);
  const waiting = ask(target, "/", "patient");
  command.kill("SIGHUP");
  await command.ready(2);
  assert.match((await waiting).text, /patient$/);
  // The old generation may have filled a gap while the new one was tried: that worker ends later.
  await until("two are left", () => command.workers().length === 2);
});

test("WINCH is ignored while a terminal is attached", async (context) => {
  if (process.platform !== "linux") return context.skip("script(1) is another one here");
  if (!hasComponent(context, "script", "bsdutils")) return;
  // Not every shell becomes its last command by itself, and it is the arbiter that the signals are for.
  const prefix = ["sh", "-c", 'exec script -qec "exec $*" /dev/null >&2', "sh"];
  const command = startCommand(context, ["pool/echo.mjs", "-b", "127.0.0.1:0"], { prefix });
  await command.ready();
  const [arbiter = 0] = childrenOf(command.pid);
  const workers = command.workers(arbiter);
  assert.equal(workers.length, 1);
  process.kill(arbiter, "SIGWINCH");
  // Signals that are sent together come in any order; what is sent later, later.
  for (const nth of [1, 2]) {
    process.kill(arbiter, "SIGUSR1");
    await command.line(/Handling signal: usr1/, nth);
  }
  assert.deepEqual(command.lines(/winch/), []);
  assert.deepEqual(command.workers(arbiter), workers);
  process.kill(arbiter, "SIGTERM");
  assert.equal((await command.ended()).code, 0);
});
