/** The number of workers, through the built command. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { autoWorkers } from "../../../src/system/cpu-limit.ts";
import { startCommand } from "../../support/command.ts";

for (const [name, args, env] of [
  ["--workers auto", ["--workers", "auto"], {}],
  ["WEB_CONCURRENCY=auto", [], { WEB_CONCURRENCY: "auto" }],
] as const) {
  test(`${name} means as many workers as the server has CPUs`, async (context) => {
    const command = startCommand(context, ["pool/echo.mjs:handler", "-b", "127.0.0.1:0", ...args], { env });
    await command.ready();
    assert.equal(command.workers().length, autoWorkers());
  });
}

test("the command line takes precedence over WEB_CONCURRENCY", async (context) => {
  const env = { WEB_CONCURRENCY: "3" };
  const app = ["pool/echo.mjs:handler", "-b", "127.0.0.1:0"];
  const three = startCommand(context, app, { env });
  await three.ready();
  assert.equal(three.workers().length, 3);
  const one = startCommand(context, [...app, "-w", "1"], { env });
  await one.ready();
  assert.equal(one.workers().length, 1);
});
