/** A module of --import (usually tracing) is loaded once in a process, not in tsgun's own threads. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";

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

test("a compiler that NODE_OPTIONS registers compiles the app once: its lines are those of the file", async (t) => {
  const folder = temporaryFolder(t);
  const app = `enum Status { ok = 200 }

type Respond = (status: number, headers: object, text: string) => void;

export const handler = (_request: unknown, respond: Respond): void => {
  const [, frame = ""] = (new Error("here").stack ?? "").split("\\n");
  respond(Status.ok, {}, frame);
};
`;
  writeFileSync(join(folder, "app.mts"), app);
  const compiler = import.meta.resolve("@oxc-node/core/register");
  const env = { NODE_OPTIONS: `--import=${compiler}` };
  for (const node of [process.execPath, ...otherNodes]) {
    const command = startCommand(t, ["app.mts:handler", "-b", "127.0.0.1:0"], { cwd: folder, env, node });
    await command.ready();
    const { text } = await ask({ host: "127.0.0.1", port: await command.port() });
    assert.match(text, /app\.mts:6:/, node);
    await command.end();
  }
});
