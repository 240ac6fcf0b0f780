/** The largest of several workers is replaced before the kernel kills one for lack of memory in their control group. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupOf } from "../../src/system/cgroup.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, isAlive, startCommand, until } from "../support/command.ts";
import { memoryGroup } from "../support/record-stage.ts";

const APP = join(FIXTURES, "memory/holds.mjs");
const LIMIT = 640 * 2 ** 20;

test("--max-memory auto replaces the largest worker in a full control group, and loses no request", async (context) => {
  const group = memoryGroup(context, LIMIT);
  if (group === undefined)
    return context.skip("no control group can be made here: run the tests as root on Linux");
  const args = [APP, "-b", "127.0.0.1:0", "-w", "2", "--no-control-socket", "--max-memory", "auto"];
  const command = startCommand(context, args, { prefix: group });
  await command.ready();
  const target = { host: "127.0.0.1", port: await command.port() };
  const own = cgroupOf("memory", "/", command.process.pid);
  const name = own?.version === 1 ? "memory.usage_in_bytes" : "memory.current";
  const used = (): number => Number(readFileSync(join(own?.folders[0] ?? "", name), "utf8"));
  // Whichever workers get them, they fill the group over 90%, and not to its limit.
  while (used() < LIMIT * 0.92) assert.equal((await ask(target, "/?8", "hold")).status, 200);
  const line = await command.line(/The control group /);
  assert.match(
    line,
    /WARNING.* uses [\d.]+MB of 640\.0MB, where the kernel kills a process; the largest worker \(pid: \d+, slot [12]\) has [\d.]+MB: replacing it/,
  );
  const [, pid = ""] = /largest worker \(pid: (\d+)/.exec(line) ?? [];
  let answers = 0;
  await until("the largest has ended, in order", async () => {
    assert.equal((await ask(target, "/")).status, 200);
    answers += 1;
    return !isAlive(Number(pid));
  });
  assert.ok(answers > 0);
  await command.line(new RegExp(`Worker exiting \\(pid: ${pid}\\)`));
  assert.deepEqual(command.lines(/SIGKILL|out of memory/), []);
});
