/** `--daemon` through the built command: its exit code says whether the server serves. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  childrenOf,
  type Exit,
  isAlive,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";

const APP = "export const handler = (_, respond) => respond(200, {}, String(process.ppid));\n";

interface Background {
  readonly exit: Exit;
  readonly said: string;
  readonly socket: string;
  /** The daemon's log. */
  log(): string;
  /** The pid in the pid file. */
  pid(): number | undefined;
}

/** Runs the command to its end; processes that it leaves end with the test. */
async function goToBackground(context: TestContext, source: string, ...args: string[]): Promise<Background> {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), source);
  const [socket, log, file] = [join(folder, "app.sock"), join(folder, "app.log"), join(folder, "app.pid")];
  const options = ["--daemon", "-b", "unix:app.sock", "--pid", "app.pid", "--error-logfile", "app.log"];
  const command = startCommand(context, ["app.mjs", ...options, ...args], { cwd: folder });
  const exit = await command.ended();
  const pids = existsSync(file) ? [Number(readFileSync(file, "utf8"))] : [];
  context.after(() => {
    // The folder with the file may have been removed by now.
    if (existsSync(file)) pids.push(Number(readFileSync(file, "utf8")));
    for (const pid of new Set(pids.flatMap((daemon) => [daemon, ...childrenOf(daemon)]))) {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
  });
  return {
    exit,
    said: command.stdout + command.stderr,
    socket,
    log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
    pid: () => (existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined),
  };
}

test("the command ends when the server serves; the server continues, and can be upgraded and stopped", async (context) => {
  const { exit, said, socket, log, pid } = await goToBackground(context, APP);
  assert.deepEqual([exit.code, said], [0, ""]);
  const first = pid() ?? 0;
  assert.equal((await ask({ path: socket })).text, `${first}`);
  assert.match(log(), /Ready: generation 1/);
  process.kill(first, "SIGUSR2");
  await until("the new arbiter is the server", () => !isAlive(first) && pid() !== first && pid());
  const second = pid() ?? 0;
  assert.equal((await ask({ path: socket })).text, `${second}`);
  process.kill(second, "SIGTERM");
  await until("the server is gone", () => !isAlive(second));
  assert.ok(!existsSync(socket));
  assert.deepEqual(log().match(/WARNING|ERROR/g), null);
});

test("an app that cannot be loaded: the command reports why, with gunicorn's exit code", async (context) => {
  const { exit, said, pid } = await goToBackground(context, 'throw new Error("no licence");\n');
  assert.equal(exit.code, 4);
  assert.equal(said, "tsgun: cannot load app.mjs: no licence (at app.mjs:1)\n");
  assert.equal(pid(), undefined);
});

test("an address in use: the command reports it", async (context) => {
  const { socket } = await goToBackground(context, APP);
  const { exit, said } = await goToBackground(context, APP, "-b", `unix:${socket}`);
  assert.equal(exit.code, 1);
  assert.equal(
    said,
    `tsgun: cannot bind unix:${socket}: another server listens on it; stop it or choose another path\n`,
  );
});
