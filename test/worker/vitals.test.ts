/** A worker measures itself with its heartbeat. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Vitals } from "../../src/worker/vitals.ts";
import { BoardPage } from "../support/board-page.ts";

/** Longer than the shortest interval between two measurements. */
const INTERVAL_MS = 950;

function measured(context: TestContext) {
  const board = new BoardPage(context);
  const page = board.writer();
  const server = { requests: 0, connectionStates: () => ({ active: 1, idle: 2, upgraded: 3 }) };
  const limiter = { accepted: 10, openDescriptors: 20 };
  const vitals = new Vitals(page, { server, limiter, gate: { waiting: 4 } });
  return { board, page, server, vitals };
}

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("measures at once, and then when a second has passed", async (context) => {
  const { board, vitals } = measured(context);
  const before = Date.now();
  assert.ok(Math.abs(board.vital("time") - before) < 1000);
  const names = [
    "connectionsActive",
    "connectionsIdle",
    "connectionsUpgraded",
    "connectionsAccepted",
  ] as const;
  assert.deepEqual(
    [...names, "openDescriptors" as const, "requestsWaiting" as const].map((name) => board.vital(name)),
    [1, 2, 3, 10, 20, 4],
  );
  for (const name of ["heapUsed", "heapTotal", "heapLimit", "heapOld", "heapNew", "external", "rss"] as const)
    assert.ok(board.vital(name) > 100_000, name);
  for (const name of ["cpuUser", "loopActive"] as const) assert.ok(board.vital(name) > 1, name);
  const first = board.vital("time");
  vitals.beat();
  assert.equal(board.vital("time"), first);
});

test("samples the loop's delay while there is work and no longer, and counts all collections", async (context) => {
  const { board, page, server, vitals } = measured(context);
  const entry = page.beginRequest("GET", "/", performance.now());
  await pause(INTERVAL_MS);
  vitals.beat();
  assert.equal(board.vital("requestsInFlight"), 1);
  // The first sample shows when the loop turns.
  await pause(100);
  block(200);
  const garbage = Array.from({ length: 300_000 }, (_, index) => ({ index }));
  assert.equal(garbage.length, 300_000);
  await pause(INTERVAL_MS);
  page.endRequest(entry);
  server.requests += 1;
  vitals.beat();
  const delay = board.vital("loopDelayMax");
  assert.ok(delay > 100 && delay < 10_000, `${delay}`);
  assert.ok(board.vital("gcMinor") + board.vital("gcMajor") > 0);
  const collections = board.vital("gcMinorCount") + board.vital("gcMajorCount");
  assert.ok(collections > 0 && Number.isInteger(collections), `${collections}`);
  await pause(INTERVAL_MS);
  vitals.beat();
  await pause(INTERVAL_MS);
  block(100);
  vitals.beat();
  assert.deepEqual([board.vital("requestsInFlight"), board.vital("loopDelayMax")], [0, 0]);
});
