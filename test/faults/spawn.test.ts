/** Processes that cannot be started: the arbiter logs the reason and continues to serve with the workers it has. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import { ask } from "../support/ask.ts";
import { isAlive, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { leaveDescriptors, limitDescriptors } from "../support/descriptor-limit.ts";
import { FaultStage } from "../support/fault-stage.ts";

const EMFILE = "this process is out of descriptors: raise ulimit -n, or systemd's LimitNOFILE= \\(EMFILE\\)";
const E2BIG = "the environment is too large: the variable LARGE alone has 200000 bytes \\(E2BIG\\)";

/** A configuration whose environment is too large as soon as the file `large` is there. */
const CONFIG = `
  import { existsSync } from "node:fs";
  export default {
    app: "app.mjs",
    workers: 2,
    bind: "127.0.0.1:0",
    controlSocket: "ctl.sock",
    env: existsSync("large") ? ["LARGE=" + "x".repeat(200_000)] : [],
    HOOK
  };
`;

function folderWith(context: TestContext, { hook = "" } = {}): string {
  const folder = temporaryFolder(context);
  writeFileSync(
    join(folder, "app.mjs"),
    "export const handler = (_, respond) => respond(200, {}, 'served');\n",
  );
  writeFileSync(join(folder, "tsgun.config.mjs"), CONFIG.replace("HOOK", hook));
  return folder;
}

function assertUnharmed(command: RunningCommand): void {
  assert.ok(isAlive(command.pid));
  assert.doesNotMatch(command.stderr, /Unhandled|Uncaught|undefined|TypeError/);
}

for (const hook of ["", "preFork: async () => {},"]) {
  const how = hook === "" ? "" : ", behind an async preFork";
  test(`a reload whose environment is too large keeps the old generation${how}`, async (context) => {
    const folder = folderWith(context, { hook });
    const command = startCommand(context, [], { cwd: folder });
    await command.ready();
    const workers = command.workers();
    writeFileSync(join(folder, "large"), "");
    command.kill("SIGHUP");
    await command.line(
      new RegExp(`Reload failed, generation 1 stays: a worker could not be started: ${E2BIG}$`),
    );
    assert.deepEqual(command.workers(), workers);
    assert.equal((await ask({ port: await command.port() })).text, "served");
    rmSync(join(folder, "large"));
    command.kill("SIGHUP");
    await command.line(/Ready: generation [23] serves/);
    assertUnharmed(command);
    assert.equal((await command.end()).code, 0);
  });
}

test("a server and a preflight whose process cannot be started report why in one line", async (context) => {
  const folder = folderWith(context);
  writeFileSync(join(folder, "large"), "");
  const server = startCommand(context, [], { cwd: folder });
  assert.equal((await server.ended()).code, 3);
  assert.match(server.stderr, new RegExp(`Reason: a worker could not be started: ${E2BIG}\n$`));
  const preflight = startCommand(context, ["--preload"], { cwd: folder });
  assert.equal((await preflight.ended()).code, 3);
  assert.match(
    preflight.stderr,
    new RegExp(`^tsgun: cannot start a process to load the app: ${E2BIG}$`, "m"),
  );
});

test("an arbiter without descriptors continues to serve under load, and starts the missing workers once it has some", async (context) => {
  const stage = await FaultStage.start(context, { workers: 2 });
  const { command } = stage;
  await stage.load();
  const [first, second] = await stage.settled();
  leaveDescriptors(command.pid, 2, { reserve: true });

  command.kill("SIGUSR2");
  await command.line(
    new RegExp(
      `Upgrade failed, this arbiter continues to serve: the new arbiter could not be started: ${EMFILE}$`,
    ),
  );
  command.kill("SIGHUP");
  await command.line(new RegExp(`Reload failed, generation 1 stays: .*${EMFILE}$`));
  command.kill("SIGTTIN");
  const again = new RegExp(`A worker could not be started: ${EMFILE}; retrying every second$`);
  await command.line(again);
  command.kill("SIGTTOU");
  await stage.more(20);
  await stage.assertNothingLost(20);

  process.kill(second as number, "SIGKILL");
  await until("the worker is gone", () => !isAlive(second as number));
  // The first attempt, and one more.
  await until("retrying", async () => {
    await stage.command.line(again);
    return true;
  });
  assert.deepEqual(command.workers(), [first]);
  assert.equal((await ask({ port: stage.port }, "/")).status, 200);

  limitDescriptors(command.pid, 1024);
  assert.equal((await stage.settled(2)).length, 2);
  // The same reason is not logged every second.
  assert.ok(command.lines(again).length <= 2, command.stderr);
  assertUnharmed(command);
  command.kill("SIGHUP");
  await command.line(/Ready: generation \d+ serves/, 2);
  await stage.end();
});

test("a worker whose folder is gone is replaced when the folder is back", async (context) => {
  const outer = temporaryFolder(context);
  const folder = join(outer, "release");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "app.mjs"),
    "export const handler = (_, respond) => respond(200, {}, 'served');\n",
  );
  const args = [
    "app.mjs",
    "--chdir",
    folder,
    "-w",
    "1",
    "-b",
    "127.0.0.1:0",
    "--control-socket",
    join(outer, "ctl"),
  ];
  const command = startCommand(context, args, { cwd: outer });
  await command.ready();
  const [worker] = command.workers();
  renameSync(folder, join(outer, "away"));
  process.kill(worker as number, "SIGKILL");
  await command.line(
    new RegExp(
      `A worker could not be started: the working directory does not exist: ${folder} \\(ENOENT\\); retrying`,
    ),
  );
  const { status, body } = await requestControl(join(outer, "ctl"), "POST", "/scale", { workers: 2 });
  assert.equal(status, 409);
  assert.deepEqual(body, { ok: false, error: "workers cannot be started: the log says why" });
  renameSync(join(outer, "away"), folder);
  await until(
    "a worker serves again",
    async () => (await ask({ port: await command.port() })).text === "served",
  );
  assertUnharmed(command);
  assert.equal((await command.end()).code, 0);
});
