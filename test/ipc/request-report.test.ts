import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRequestReport, type RequestReport } from "../../src/ipc/request-report.ts";
import { describeInFlight } from "../../src/ipc/stall-report.ts";

const REQUEST = { method: "GET", target: "/slow?x", since: 1000 };

test("a written line parses to the same report; anything else is not a report", () => {
  const report: RequestReport = { kind: "held", requests: [{ ...REQUEST, id: "7-1" }, REQUEST] };
  assert.deepEqual(parseRequestReport(JSON.stringify(report)), report);
  const others = ["", "{", "null", "[]", '{"kind":"held"}', '{"kind":"held","requests":[{}]}'];
  const hostileId = JSON.stringify({ kind: "held", requests: [{ ...REQUEST, id: { toString: 1 } }] });
  for (const line of [...others, hostileId, '{"kind":"held","requests":[null]}', '{"kind":"stuck","pid":1}'])
    assert.equal(parseRequestReport(line), undefined, line);
});

test("as text: the age of each request, and a bounded number of them", () => {
  assert.deepEqual(describeInFlight([{ ...REQUEST, id: "7-1" }, REQUEST], 3500), [
    "  in flight: GET /slow?x (id 7-1, 2.5 s)",
    "  in flight: GET /slow?x (2.5 s)",
  ]);
  const many = Array.from({ length: 25 }, () => REQUEST);
  assert.equal(describeInFlight(many, 3500).length, 21);
  assert.equal(describeInFlight(many, 3500).at(-1), "  and 5 more in flight");
  assert.deepEqual(describeInFlight([], 0), []);
  assert.deepEqual(describeInFlight([{ ...REQUEST, target: "/\n[1] [ERROR] forged" }], 1001), [
    "  in flight: GET /\\x0a[1] [ERROR] forged (1 ms)",
  ]);
});
