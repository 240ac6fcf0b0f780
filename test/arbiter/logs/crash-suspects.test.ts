/** The requests suspected of crashes, as data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashSuspects } from "../../../src/arbiter/logs/crash-suspects.ts";
import { HeldRequests } from "../../../src/arbiter/workers/held-requests.ts";
import type { RequestInFlight } from "../../../src/ipc/request-report.ts";

function held(...targets: string[]): RequestInFlight[] {
  return targets.map((target) => ({ method: "GET", target, since: 0 }));
}

test("requests in flight at each of three deaths are suspected, without their queries, once a minute", () => {
  const suspects = new CrashSuspects();
  assert.deepEqual(suspects.recordDeath(held("/a", "/poison?id=1"), 0), []);
  assert.deepEqual(suspects.recordDeath(held("/b", "/poison?id=2"), 100), []);
  assert.deepEqual(suspects.recordDeath(held("/poison#x", "/a"), 200), ["GET /poison"]);
  assert.deepEqual(suspects.recordDeath(held("/poison", "/c"), 300), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 60_200), ["GET /poison"]);
});

test("a death without the request, or long ago, ends the suspicion; another method is another request", () => {
  const suspects = new CrashSuspects();
  for (const at of [0, 100]) suspects.recordDeath(held("/poison"), at);
  assert.deepEqual(suspects.recordDeath(held("/other"), 200), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 300), []);
  assert.deepEqual(suspects.recordDeath([{ method: "POST", target: "/poison", since: 0 }], 400), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 500), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 700_000), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 700_100), []);
  assert.deepEqual(suspects.recordDeath(held("/poison"), 700_200), ["GET /poison"]);
});

test("no request is suspected when many are in flight at every death", () => {
  const suspects = new CrashSuspects();
  for (const at of [0, 1, 2]) assert.deepEqual(suspects.recordDeath(held("/a", "/b", "/c", "/d"), at), []);
  assert.deepEqual(suspects.recordDeath([], 3), []);
});

test("a worker's requests are those of its journal, or the complete list reported at its end or when it was stuck", () => {
  const requests = new HeldRequests();
  const known = (): readonly RequestInFlight[] | undefined => requests.list;
  assert.equal(known(), undefined);
  requests.handleReport({ kind: "over", numbers: [] });
  assert.deepEqual(known(), []);
  const [a, b] = held("/a", "/b") as [RequestInFlight, RequestInFlight];
  requests.handleReport({ kind: "begun", number: 1, request: a });
  requests.handleReport({ kind: "begun", number: 2, request: b });
  requests.handleReport({ kind: "over", numbers: [1] });
  assert.deepEqual(known(), [b]);
  const stall = { pid: 1, time: "", blockedForMs: 0, inNative: false, stack: [], children: [] };
  const inFlight = [{ method: "GET", target: "/stuck", id: "1-1", age: 10 }];
  requests.handleStall({ ...stall, kind: "stuck", mainThread: "running", inFlight });
  assert.deepEqual(
    known()?.map(({ target }) => target),
    ["/stuck"],
  );
  requests.handleStall({ ...stall, kind: "recovered", mainThread: "running" });
  assert.deepEqual(known(), [b]);
  requests.handleReport({ kind: "end" });
  assert.equal(known(), undefined);
  requests.handleReport({ kind: "held", requests: [a] });
  assert.deepEqual(known(), [a]);
});
