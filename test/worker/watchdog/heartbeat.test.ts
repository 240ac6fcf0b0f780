/** The watchdog attaches to a main thread that stays, and never to one that exits: it would hold up the exit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat } from "../../../src/worker/watchdog/heartbeat.ts";

test("a main thread that exits is told of a watchdog that has begun to attach", () => {
  const main = new Heartbeat();
  const thread = new Heartbeat(main.buffer);
  assert.equal(thread.attach(), true);
  assert.equal(main.leave(), true);
  thread.attached = false;
  assert.equal(main.leave(), false);
});

test("a watchdog does not attach to a main thread that exits", () => {
  const main = new Heartbeat();
  const thread = new Heartbeat(main.buffer);
  assert.equal(main.leave(), false);
  assert.equal(thread.attach(), false);
  assert.equal(main.attached, false);
});
