/** The requests in flight in a worker, from its reports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestsInFlight } from "../../../src/arbiter/workers/requests-in-flight.ts";
import type { RequestInFlight } from "../../../src/ipc/request-report.ts";

function request(target: string): RequestInFlight {
  return { method: "GET", target, since: 0 };
}

test("a worker's requests are the complete list reported at its end or when it was stuck", () => {
  const requests = new RequestsInFlight();
  const known = (): readonly RequestInFlight[] | undefined => requests.list;
  assert.equal(known(), undefined);
  const stall = { pid: 1, time: "", blockedForMs: 0, inNative: false, stack: [], children: [] };
  const inFlight = [{ method: "GET", target: "/stuck", id: "1-1", age: 10 }];
  requests.handleStall({ ...stall, kind: "stuck", mainThread: "running", inFlight });
  assert.deepEqual(
    known()?.map(({ target }) => target),
    ["/stuck"],
  );
  requests.handleStall({ ...stall, kind: "recovered", mainThread: "running" });
  assert.equal(known(), undefined);
  const held = [request("/a")];
  requests.handleReport({ kind: "held", requests: held });
  assert.deepEqual(known(), held);
});
