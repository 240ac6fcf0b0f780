import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { exists, type ProcessState, processState } from "../../src/system/process-state.ts";

const NO_PROC = "/nonexistent";

async function child(t: TestContext, script: string): Promise<number> {
  const process_ = spawn(process.execPath, ["-e", `console.log(1); ${script}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => process_.kill("SIGKILL"));
  await once(process_.stdout, "data");
  return process_.pid as number;
}

/** The kernel and the child agree after a moment; which state it settles on is what counts. */
async function settles(pid: number, wanted: ProcessState, root: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; processState(pid, root) !== wanted; ) {
    assert.ok(Date.now() < deadline, `process ${pid} is ${processState(pid, root)}, not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [name, root] of [
  ["by /proc", "/"],
  ["by ps", NO_PROC],
] as const) {
  const skip = root === "/" && process.platform !== "linux" ? "/proc is Linux's" : false;

  test(`a stopped process is distinguished from a blocked one, ${name}`, { skip }, async (t) => {
    const blocked = await child(t, "for (;;);");
    const idle = await child(t, "setInterval(() => {}, 1e6)");
    await settles(blocked, "running", root);
    await settles(idle, "sleeping", root);
    process.kill(blocked, "SIGSTOP");
    await settles(blocked, "stopped", root);
    process.kill(blocked, "SIGCONT");
    await settles(blocked, "running", root);
  });

  test(`a process that does not exist is gone, ${name}`, { skip }, async () => {
    const ended = spawn("true");
    await once(ended, "exit");
    assert.equal(processState(ended.pid as number, root), "gone");
    assert.equal(exists(ended.pid as number), false);
  });
}

test("another user's process exists", () => {
  assert.equal(exists(1), true);
});
