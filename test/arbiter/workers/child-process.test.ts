import assert from "node:assert/strict";
import { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type ChildLaunch,
  type StartError,
  startChild,
  startedChild,
} from "../../../src/arbiter/workers/child-process.ts";
import { temporaryFolder } from "../../support/command.ts";

const LAUNCH: ChildLaunch = {
  program: process.execPath,
  args: ["-e", ""],
  env: process.env,
  stdio: ["ignore", "ignore", "ignore", "pipe", "ipc"],
};

/** Returns the reason of a failed launch, and checks that it is reported once, in a later turn. */
async function reason(launch: ChildLaunch, start?: () => ChildProcess): Promise<string> {
  const errors: StartError[] = [];
  assert.equal(
    startChild(launch, (error) => errors.push(error), start),
    undefined,
  );
  assert.equal(errors.length, 0);
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  assert.equal(errors.length, 1);
  return errors[0]?.message ?? "";
}

/** A process that could not be started, as Node returns it: no pid, and an error event in the next tick. */
function failing(code: string): ChildProcess {
  // A process that was never spawned has neither stdio nor send, as after EMFILE.
  const child = new (ChildProcess as unknown as new () => ChildProcess)();
  process.nextTick(() => child.emit("error", Object.assign(new Error(`spawn node ${code}`), { code })));
  return child;
}

test("a started process is returned, and a later error does not count as a failed start", async () => {
  const child = startChild(LAUNCH, (error) => assert.fail(error));
  assert.ok(child?.pid !== undefined);
  child.emit("error", new Error("kill EPERM"));
  await once(child, "exit");
});

test("a start with too large an environment fails and names the largest variable", async () => {
  const env = { ...process.env, SMALL: "x", LARGE: "x".repeat(200_000) };
  assert.equal(
    await reason({ ...LAUNCH, env }),
    "the environment is too large: the variable LARGE alone has 200000 bytes (E2BIG)",
  );
});

test("a start with too large an argument fails and names it", async () => {
  assert.equal(
    await reason({ ...LAUNCH, args: ["-e", "x".repeat(200_000)] }),
    "the environment is too large: argument 2 alone has 200000 bytes (E2BIG)",
  );
});

test("a start without its working directory or its program says which is missing", async (context) => {
  const folder = temporaryFolder(context);
  const file = join(folder, "file");
  writeFileSync(file, "");
  chmodSync(file, 0o644);
  const gone = join(folder, "gone");
  assert.equal(
    await reason({ ...LAUNCH, folder: gone }),
    `the working directory does not exist: ${gone} (ENOENT)`,
  );
  assert.equal(
    await reason({ ...LAUNCH, folder: file }),
    `the working directory is a file: ${file} (ENOTDIR)`,
  );
  assert.equal(await reason({ ...LAUNCH, program: gone }), `the program does not exist: ${gone} (ENOENT)`);
  assert.equal(
    await reason({ ...LAUNCH, program: file }),
    `no permission to execute the program: ${file} (EACCES)`,
  );
});

test("a start that exceeds a limit of the system names the limit", async () => {
  assert.match(
    await reason(LAUNCH, () => failing("EAGAIN")),
    /^the system allows no more processes: .*\(EAGAIN\)$/,
  );
  assert.match(
    await reason(LAUNCH, () => failing("EMFILE")),
    /^this process is out of descriptors: .*\(EMFILE\)$/,
  );
  assert.match(
    await reason(LAUNCH, () => failing("ENFILE")),
    /^the system is out of descriptors: .*\(ENFILE\)$/,
  );
  const thrown = (): ChildProcess => {
    throw Object.assign(new Error("spawn ENOMEM"), { code: "ENOMEM" });
  };
  assert.equal(await reason(LAUNCH, thrown), "the system is out of memory (ENOMEM)");
  assert.equal(await reason(LAUNCH, () => failing("ESOMETHING")), "spawn node ESOMETHING");
});

test("the pipes of a process that could not be started are closed", async () => {
  let made: ChildProcess | undefined;
  const { spawn } = await import("node:child_process");
  await reason({ ...LAUNCH, program: "/nowhere/node" }, () => {
    made = spawn("/nowhere/node", [], { stdio: ["ignore", "ignore", "ignore", "pipe", "ipc"] });
    return made;
  });
  assert.equal(made?.connected, false);
  assert.ok(made?.stdio[3]?.destroyed);
});

test("startedChild resolves with the process or rejects with the reason", async () => {
  const child = await startedChild(LAUNCH);
  await once(child, "exit");
  await assert.rejects(startedChild({ ...LAUNCH, program: "/nowhere/node" }), {
    name: "StartError",
    message: "the program does not exist: /nowhere/node (ENOENT)",
  });
});
