/** The requests suspected of crashes, as data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashSuspects } from "../../../src/arbiter/logs/crash-suspects.ts";
import type { RequestInFlight } from "../../../src/ipc/request-report.ts";

function inFlight(...targets: string[]): RequestInFlight[] {
  return targets.map((target) => ({ method: "GET", target, since: 0 }));
}

test("requests in flight at each of three deaths are suspected, without their queries, once a minute", () => {
  const suspects = new CrashSuspects();
  assert.deepEqual(suspects.recordDeath(inFlight("/a", "/poison?id=1"), 0), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/b", "/poison?id=2"), 100), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison#x", "/a"), 200), ["GET /poison"]);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison", "/c"), 300), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 60_200), ["GET /poison"]);
});

test("a death without the request, or long ago, ends the suspicion; another method is another request", () => {
  const suspects = new CrashSuspects();
  for (const at of [0, 100]) suspects.recordDeath(inFlight("/poison"), at);
  assert.deepEqual(suspects.recordDeath(inFlight("/other"), 200), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 300), []);
  assert.deepEqual(suspects.recordDeath([{ method: "POST", target: "/poison", since: 0 }], 400), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 500), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 700_000), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 700_100), []);
  assert.deepEqual(suspects.recordDeath(inFlight("/poison"), 700_200), ["GET /poison"]);
});

test("no request is suspected when many are in flight at every death", () => {
  const suspects = new CrashSuspects();
  for (const at of [0, 1, 2])
    assert.deepEqual(suspects.recordDeath(inFlight("/a", "/b", "/c", "/d"), at), []);
  assert.deepEqual(suspects.recordDeath([], 3), []);
});
