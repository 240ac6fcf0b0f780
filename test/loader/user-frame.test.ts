/** The stack of an error tells whose code it comes from. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isOurs, userFrame } from "../../src/loader/user-frame.ts";

const OURS = `    at Pool.settle (${join(import.meta.dirname, "../../src/arbiter/pool/pool.ts")}:1:2)`;
const NODE = "    at listOnTimeout (node:internal/timers:581:17)";
const PACKAGE = "    at pino (/app/node_modules/pino/pino.js:3:4)";
const USER = "    at onReload (file:///app/tsgun.config.mjs?tsgun-reading=2:7:9)";

function thrown(...frames: string[]): Error {
  return Object.assign(new Error("it"), { stack: ["Error: it", ...frames].join("\n") });
}

test("an error is ours only if no other code is on the stack", () => {
  for (const frames of [[OURS], [NODE, OURS], [PACKAGE, OURS]]) assert.ok(isOurs(thrown(...frames)));
  for (const frames of [[USER], [USER, OURS], [OURS, USER], [NODE], [PACKAGE], []])
    assert.ok(!isOurs(thrown(...frames)), frames.join());
  for (const value of [undefined, null, "text", { stack: OURS }]) assert.ok(!isOurs(value));
});

test("the user's own file precedes a package's, and ours never counts", () => {
  assert.deepEqual(userFrame(thrown(PACKAGE, OURS, USER)), { file: "/app/tsgun.config.mjs", line: 7 });
  assert.deepEqual(userFrame(thrown(OURS, PACKAGE)), { file: "/app/node_modules/pino/pino.js", line: 3 });
  assert.equal(userFrame(thrown(OURS, NODE)), undefined);
});
