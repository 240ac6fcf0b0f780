import assert from "node:assert/strict";
import { test } from "node:test";
import { Linger } from "../../src/server/linger.ts";

test("a silent client is given two seconds", () => {
  assert.equal(new Linger(1000).deadline, 3000);
});

test("each arrival restarts the two seconds, up to thirty in total", () => {
  const linger = new Linger(1000);
  linger.received(2500);
  assert.equal(linger.deadline, 4500);
  linger.received(30_000);
  assert.equal(linger.deadline, 31_000);
});
