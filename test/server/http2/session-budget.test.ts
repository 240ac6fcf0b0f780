/** Budgets that well-behaved clients must not exceed, however long they stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameType } from "../../../src/server/http2/frame-walker.ts";
import { SessionBudget } from "../../../src/server/http2/session-budget.ts";

const of = (type: number, length = 0, flags = 0, value = 0) => ({ type, flags, streamId: 1, length, value });

test("HAProxy's two WINDOW_UPDATE frames for each small response are within the budget", () => {
  const budget = new SessionBudget(65_536);
  for (let index = 0; index < 100_000; index += 1) {
    budget.sent(of(FrameType.data, 35, 1), 0);
    assert.equal(budget.received(of(FrameType.windowUpdate, 4), 0), undefined);
    assert.equal(budget.received(of(FrameType.windowUpdate, 4), 0), undefined);
  }
});

test("what has been used up comes back with time", () => {
  const budget = new SessionBudget(65_536);
  const ping = (now: number) => budget.received(of(FrameType.ping, 8), now);
  let sent = 0;
  while (ping(0) === undefined) sent += 1;
  assert.ok(sent >= 100 && sent <= 1000, `${sent} at once`);
  assert.equal(ping(1000), undefined);
});

test("errors that this server causes, and its answers to SETTINGS, cost the client nothing", () => {
  const budget = new SessionBudget(65_536);
  for (let index = 0; index < 10_000; index += 1) {
    for (const code of [0, 2, 7, 8]) assert.equal(budget.sent(of(FrameType.reset, 4, 0, code), 0), undefined);
    assert.equal(budget.received(of(FrameType.settings, 0, 1), 0), undefined);
  }
});
