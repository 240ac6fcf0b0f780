/** A module of --import (usually tracing) is loaded once in a process, not in tsgun's own threads. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";

test("NODE_OPTIONS=--import reaches the arbiter and the workers, and no thread beside their main ones", async (t) => {
  const traced = join(temporaryFolder(t), "traced");
  const env = { NODE_OPTIONS: `--import ${join(FIXTURES, "pool", "tracing.mjs")}`, TRACED: traced };
  const command = startCommand(t, ["pool/stuck.ts:handler", "-b", "127.0.0.1:0", "--timeout", "4s"], { env });
  await command.ready();
  const [worker] = command.workers();
  const lost = assert.rejects(ask({ port: await command.port() }, "/wait?/nowhere/at/all", "content"));
  // Its watchdog has spoken, and the arbiter has ended it: both threads have been there.
  await command.line(/killed|SIGKILL/);
  await lost;
  const lines = readFileSync(traced, "utf8").trim().split("\n");
  assert.ok(lines.includes(`${command.pid} main`) && lines.includes(`${worker} main`), lines.join(", "));
  assert.deepEqual(
    lines.filter((line) => !line.endsWith(" main")),
    [],
  );
});
