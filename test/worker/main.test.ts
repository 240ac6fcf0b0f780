/** A worker keeps one of the objects that process.nextTick queues, so that V8 keeps what it knows of them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand } from "../support/command.ts";

test("a worker keeps an object that process.nextTick has queued", async (context) => {
  const command = startCommand(context, ["pool/ticks.mjs:handler", "-w", "1", "-b", "127.0.0.1:0"]);
  await command.ready();
  const { text } = await ask({ port: await command.port() });
  assert.equal((JSON.parse(text) as string[][]).length, 1);
});

test("what is queued after many collections has the hidden class of the kept object", () => {
  const program = `
    const { executionAsyncResource } = require("node:async_hooks");
    let kept;
    process.nextTick(() => { kept = executionAsyncResource(); });
    setImmediate(() => {
      for (let collections = 0; collections < 8; collections += 1) gc();
      process.nextTick(() => console.log(%HaveSameMap(kept, executionAsyncResource()), Object.hasOwn(kept, "callback")));
    });
  `;
  const flags = ["--expose-gc", "--allow-natives-syntax"];
  assert.equal(
    execFileSync(process.execPath, [...flags, "-e", program], { encoding: "utf8" }),
    "true true\n",
  );
});
