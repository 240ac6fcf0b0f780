/** The curve of accept delays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptDelay } from "../../src/server/accept-delay.ts";

test("up to its level a worker never waits", () => {
  for (const share of [0, 4, 18, 1000, Number.POSITIVE_INFINITY]) {
    for (const connections of [0, share / 2, share]) assert.equal(acceptDelay(connections, share), 0);
  }
});

test("beyond its level a worker grows by an eighth each millisecond, but by at least one connection", () => {
  const delays = [1, 8, 32, 64, 256].map((connections) => acceptDelay(connections, 0));
  assert.deepEqual(delays, [1, 1, 1 / 4, 1 / 8, 1 / 32]);
});

test("no wait exceeds a millisecond, and a burst for an idle worker takes time that grows slowly with its size", () => {
  const burst = (size: number): number => {
    let waited = 0;
    for (let connections = 1; connections <= size; connections += 1) {
      const delay = acceptDelay(connections, 4);
      assert.ok(delay <= 1);
      waited += delay;
    }
    return Math.round(waited);
  };
  assert.deepEqual([4, 16, 64, 256, 1024].map(burst), [0, 9, 20, 31, 42]);
});
