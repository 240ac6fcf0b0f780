import assert from "node:assert/strict";
import { test } from "node:test";
import { WakingClock } from "../../../src/arbiter/pool/waking-clock.ts";

test("advances while it is read in time, and stands still while it is not", (context) => {
  let time = 5000;
  const clock = new WakingClock(
    () => {},
    () => time,
  );
  context.after(() => clock.stop());
  assert.equal(clock.now(), 5000);
  clock.wake(undefined, 1000);
  time += 1200;
  assert.equal(clock.now(), 6200, "a little late is what timers are");
  clock.wake(undefined, 5000);
  time += 61_000;
  assert.equal(clock.now(), 7200, "a minute was missed");
  time += 10;
  assert.equal(clock.now(), 7210, "and is missed once");
  clock.wake(undefined, undefined);
  time += 61_000;
  assert.equal(clock.now(), 68_210, "where no time matters none is missed");
});

test("rings at the time", async () => {
  await new Promise<void>((resolve) => {
    const clock = new WakingClock(resolve);
    clock.wake(clock.now() + 5, undefined);
  });
});
