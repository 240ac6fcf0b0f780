import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_REQUESTS, SlowRequests } from "../../src/worker/slow-requests.ts";

const MINUTE = 60_000;

function request(duration: number) {
  return { method: "GET", target: `/${duration}`, id: null, status: 200, at: 0, duration };
}

/** As the meter does it: one comparison. */
function offer(slow: SlowRequests, duration: number): void {
  if (duration > slow.floor) slow.add(request(duration));
}

function durations(slow: SlowRequests): number[] {
  return slow
    .list()
    .map(({ duration }) => duration)
    .sort((a, b) => b - a);
}

test("the slowest of a minute are kept, in whatever order they come", () => {
  const slow = new SlowRequests();
  slow.turn(0);
  const all = Array.from({ length: 500 }, (_, index) => (index * 7919) % 500);
  for (const duration of all) offer(slow, duration);
  assert.deepEqual(
    durations(slow),
    Array.from({ length: KEPT_REQUESTS }, (_, index) => 499 - index),
  );
  assert.equal(slow.floor, 500 - KEPT_REQUESTS);
});

test("each minute has a table, and five whole ones are kept", () => {
  const slow = new SlowRequests();
  slow.turn(1000);
  for (let minute = 0; minute < 8; minute++) {
    slow.turn(1000 + minute * MINUTE);
    assert.equal(slow.floor, -1);
    offer(slow, 8 - minute);
  }
  assert.deepEqual(durations(slow), [6, 5, 4, 3, 2, 1]);
});

test("a worker that was blocked for long forgets what is old", () => {
  const slow = new SlowRequests();
  slow.turn(0);
  offer(slow, 1);
  slow.turn(2.5 * MINUTE);
  offer(slow, 2);
  assert.deepEqual(durations(slow), [2, 1]);
  slow.turn(3 * MINUTE);
  assert.deepEqual(durations(slow), [2, 1]);
  slow.turn(3_000 * MINUTE);
  assert.deepEqual(durations(slow), []);
});
