import assert from "node:assert/strict";
import { test } from "node:test";
import { loadLate } from "../../src/control/late-load.ts";

test("what is loaded late is loaded once, for callers that come together too", async () => {
  let loads = 0;
  const get = loadLate(async () => ++loads);
  assert.equal(loads, 0);
  assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
  assert.equal(await get(), 1);
});

test("a failure is for its callers alone", async () => {
  let loads = 0;
  const get = loadLate(async () => {
    if (++loads === 1) throw new Error("the descriptors are used up");
    return loads;
  });
  await assert.rejects(get(), /used up/);
  assert.equal(await get(), 2);
});

test("it is loaded after a while without a call, before a deploy deletes the release", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let loads = 0;
  loadLate(async () => ++loads);
  context.mock.timers.tick(29_000);
  assert.equal(loads, 0);
  context.mock.timers.tick(1000);
  assert.equal(loads, 1);
});
