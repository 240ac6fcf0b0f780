/** --preload and --check-config: the app is loaded in a process of its own, so that a broken app costs no worker. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  childrenOf,
  isAlive,
  startCommand,
  temporaryFolder,
  until,
  watchBlocked,
} from "../../support/command.ts";

const APP = "export const handler = (_, respond) => respond(204);\n";
/** An app that records the processes that load it and that start it. */
const TELLS = `import { appendFileSync } from "node:fs";
appendFileSync("loads", process.pid + "\\n");
export const app = { startup: () => appendFileSync("starts", process.pid + "\\n"), handle: (_, respond) => respond(204) };
`;

function project(context: TestContext, text: string): string {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), text);
  return folder;
}

function lines(file: string): string[] {
  return readFileSync(file, "utf8").trim().split("\n");
}

const SERVE = ["app.mjs", "-b", "127.0.0.1:0", "--preload"];

test("--preload loads the app once before each generation, without starting it, and leaves no process behind", async (context) => {
  const folder = project(context, TELLS);
  const command = startCommand(context, [...SERVE, "-w", "2"], { cwd: folder });
  await command.ready();
  const workers = command.workers();
  const [first = "", ...others] = lines(join(folder, "loads"));
  assert.deepEqual(others.sort(), workers.map(String).sort());
  assert.deepEqual(lines(join(folder, "starts")).sort(), workers.map(String).sort());
  assert.ok(!isAlive(Number(first)));
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal(lines(join(folder, "loads")).length, 6);
  assert.equal(lines(join(folder, "starts")).length, 4);
});

test("--preload with a broken app binds nothing and exits with 4 and the reason in the last line", async (context) => {
  const folder = project(context, "throw new Error('no luck');\n");
  const command = startCommand(context, SERVE, { cwd: folder });
  assert.deepEqual(await command.ended(), { code: 4, signal: null });
  assert.equal(
    command.stderr.trimEnd().split("\n").at(-1),
    "tsgun: cannot load app.mjs: no luck (at app.mjs:1)",
  );
  assert.match(command.stderr, /Error: no luck\n +at file:/);
  assert.deepEqual(command.lines(/Listening|Booting/), []);
});

test("with --preload a reload to a broken app costs no worker and logs the stack once", async (context) => {
  const folder = project(context, APP);
  const command = startCommand(context, SERVE, { cwd: folder });
  await command.ready();
  const workers = command.workers();
  writeFileSync(join(folder, "app.mjs"), "throw new Error('no luck');\n");
  command.kill("SIGHUP");
  await command.line(/Reload failed, generation 1 stays: cannot load app\.mjs: no luck \(at app\.mjs:1\)/);
  await command.line(/^ *Error: no luck/);
  assert.equal(command.lines(/Booting worker/).length, 1);
  assert.deepEqual(command.workers(), workers);
  writeFileSync(join(folder, "app.mjs"), APP);
  command.kill("SIGHUP");
  await command.ready(2);
});

test("with --reload a server waits for a broken app to be fixed, also with --preload", async (context) => {
  const folder = project(context, "throw new Error('no luck');\n");
  const command = startCommand(context, [...SERVE, "--reload"], { cwd: folder });
  await command.line(/no luck/);
  writeFileSync(join(folder, "app.mjs"), APP);
  await command.line(/Ready: generation \d+ serves/);
});

test("TERM ends a start during a slow preflight", async (context) => {
  const folder = project(context, "setInterval(() => {}, 1000);\nawait new Promise(() => {});\n");
  const command = startCommand(context, SERVE, { cwd: folder });
  const [preflight] = await until(
    "the preflight runs",
    () => childrenOf(command.pid).length > 0 && childrenOf(command.pid),
  );
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  await until("the preflight is gone", () => !isAlive(preflight as number));
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a blocked preflight does not outlive a server ended by ${signal}`, async (context) => {
    const folder = project(context, APP);
    const command = startCommand(context, SERVE, { cwd: folder });
    await command.ready();
    const workers = command.workers();
    writeFileSync(join(folder, "app.mjs"), "for (;;);\n");
    command.kill("SIGHUP");
    const preflight = await until("the preflight runs", () =>
      command.workers().find((pid) => !workers.includes(pid)),
    );
    context.after(() => isAlive(preflight) && process.kill(preflight, "SIGKILL"));
    const isBlocked = watchBlocked(preflight);
    await until("the preflight blocks", isBlocked);
    command.kill(signal);
    await until("no process is left", () => ![command.pid, ...workers, preflight].some(isAlive), 4000);
  });
}

test("a preflight that times out or whose process ends says so", async (context) => {
  const slow = project(context, "setInterval(() => {}, 1000);\nawait new Promise(() => {});\n");
  const late = startCommand(context, [...SERVE, "--boot-timeout", "3"], { cwd: slow });
  assert.equal((await late.ended()).code, 3);
  assert.match(
    late.stderr,
    /^tsgun: the app was not loaded within 3s: app\.mjs has not finished loading \(an await at its top level, /m,
  );
  const ends = startCommand(context, SERVE, { cwd: project(context, "process.exit(7);\n") });
  assert.equal((await ends.ended()).code, 4);
  assert.match(
    ends.stderr,
    /^tsgun: the app called process\.exit\(7\) while it was loaded \(at app\.mjs:1\)$/m,
  );
});

const HAS_CACHE = "enableCompileCache" in nodeModule;

test("--preload warms Node's compile cache, or logs that Node has none", async (context) => {
  const folder = project(context, APP);
  const env = { CACHE_DIRECTORY: join(folder, "cache"), NODE_COMPILE_CACHE: undefined };
  const command = startCommand(context, SERVE, { cwd: folder, env });
  await command.ready();
  const none = command.lines(/Preload: this Node has no compile cache/).length;
  assert.equal(none, HAS_CACHE ? 0 : 1);
  if (HAS_CACHE) assert.ok(readdirSync(join(folder, "cache", "compiled")).length > 0);
});

test("--check-config loads the app, confirms it in one line and leaves nothing behind", async (context) => {
  const folder = project(context, TELLS);
  const command = startCommand(context, ["--check-config", "app.mjs", "--pid", "a.pid"], { cwd: folder });
  assert.deepEqual(await command.ended(), { code: 0, signal: null });
  assert.match(command.stdout, /^The configuration is valid and the app loads: app\.mjs \(gateway .*\)\n$/);
  assert.equal(command.stderr, "");
  assert.equal(lines(join(folder, "loads")).length, 1);
  rmSync(join(folder, "loads"));
  assert.deepEqual(readdirSync(folder), ["app.mjs"]);
});

const WRONG: [args: string[], code: number, message: RegExp][] = [
  [[], 2, /^tsgun: no app given: /],
  [["app.mjs", "-w", "0"], 2, /^tsgun: workers: 0 is too small/],
  [["nothing.mjs"], 4, /^tsgun: cannot find the app module "nothing\.mjs"/],
  [["app.mjs", "--chdir", "nowhere"], 2, /^tsgun: chdir: cannot change to /],
  [["app.mjs", "--user", "no-such-user"], 2, /^tsgun: there is no user "no-such-user"/],
  [["app.mjs", "--access-logformat", "%(zz)s"], 2, /^tsgun: access-logformat: there is no atom %\(zz\)s/],
  [["app.mjs", "--access-logfile", "nowhere/a.log"], 2, /^tsgun: access-logfile: cannot write .*a\.log: /],
  [["app.mjs", "--error-logfile", "nowhere/e.log"], 2, /^tsgun: error-logfile: cannot write .*e\.log: /],
  [["app.mjs", "--socket-owner", "no-such-user"], 2, /^tsgun: there is no user "no-such-user"/],
  [["app.mjs:nothing"], 4, /^tsgun: app\.mjs exports no "nothing"/],
];

for (const [args, code, message] of WRONG) {
  test(`tsgun --check-config ${args.join(" ")} exits with ${code}, like a start`, async (context) => {
    const command = startCommand(context, ["--check-config", ...args], { cwd: project(context, APP) });
    assert.equal((await command.ended()).code, code);
    assert.match(command.stderr, message);
    assert.equal(command.stdout, "");
  });
}
