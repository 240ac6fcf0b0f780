import assert from "node:assert/strict";
import { test } from "node:test";
import { StallClock } from "../../../src/worker/watchdog/stall-clock.ts";

/** Looks at a loop whose beats are given, one look each 100 ms. */
function verdicts(beats: number[], stuckAfterMs = 300): string[] {
  const clock = new StallClock(stuckAfterMs, 1000, 0, 0);
  return beats.map((count, index) => clock.check(count, (index + 1) * 100).verdict);
}

test("a loop with heartbeats is not stuck", () => {
  assert.deepEqual(verdicts([1, 2, 3, 4, 5]), Array(5).fill("turning"));
});

test("stuck is returned once after the limit, and recovered once", () => {
  assert.deepEqual(verdicts([0, 0, 0, 0, 0, 1, 2]), [
    "turning",
    "turning",
    "stuck",
    "still stuck",
    "still stuck",
    "recovered",
    "turning",
  ]);
});

test("a second stall is reported again", () => {
  const found = verdicts([0, 0, 0, 1, 1, 1, 1]);
  assert.equal(found.filter((verdict) => verdict === "stuck").length, 2);
});

test("recovered includes the length of the stall", () => {
  const clock = new StallClock(300, 1000, 0, 0);
  clock.check(0, 400);
  assert.deepEqual(clock.check(1, 900), { verdict: "recovered", blockedForMs: 900 });
});

test("time in which the watcher itself was stopped is not counted", () => {
  const clock = new StallClock(300, 1000, 0, 0);
  clock.check(0, 100);
  assert.equal(clock.check(0, 60_100).verdict, "turning");
  assert.equal(clock.check(0, 60_200).verdict, "turning");
  assert.equal(clock.check(0, 60_300).verdict, "stuck");
});

test("a counter that wraps around counts as a beat", () => {
  const clock = new StallClock(300, 1000, 2 ** 31 - 1, 0);
  assert.equal(clock.check(-(2 ** 31), 400).verdict, "turning");
});

test("0 never reports", () => {
  assert.deepEqual(verdicts([0, 0, 0, 0], 0), Array(4).fill("turning"));
});
