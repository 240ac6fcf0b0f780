import assert from "node:assert/strict";
import { test } from "node:test";
import { describeStall, parseStallReport, type StallReport } from "../../src/ipc/stall-report.ts";

const STUCK: StallReport = {
  kind: "stuck",
  pid: 12,
  time: "2026-01-31T23:59:59.000Z",
  blockedForMs: 2340,
  inNative: false,
  stack: ["at busy (/srv/app.ts:3:9)"],
  inFlight: [{ method: "GET", target: "/slow", id: "abc", age: 2500 }],
  mainThread: "running",
  children: [],
};

test("a written line parses to the same report; anything else is not a report", () => {
  assert.deepEqual(parseStallReport(JSON.stringify(STUCK)), STUCK);
  for (const line of [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"kind":"stuck","pid":12}',
    JSON.stringify({ ...STUCK, kind: "x" }),
  ]) {
    assert.equal(parseStallReport(line), undefined, line);
  }
});

test("as text: where the loop is blocked, and the requests in flight", () => {
  assert.deepEqual(describeStall(STUCK), [
    "worker 12: the event loop has been blocked for 2.3 s at",
    "    at busy (/srv/app.ts:3:9)",
    "  in flight: GET /slow (id abc, 2.5 s)",
  ]);
});

test("as text: a native call has no stack, but its child process", () => {
  const { inFlight: _, ...known } = STUCK;
  const children = [{ pid: 13, command: "sleep 60" }];
  assert.deepEqual(
    describeStall({
      ...known,
      inNative: true,
      stack: [],
      mainThread: "waiting",
      blockedForMs: 850,
      children,
    }),
    [
      "worker 12: the event loop has been blocked for 850 ms, probably in native code (waiting in a system call): no JavaScript stack until it returns",
      "  child process 13: sleep 60",
    ],
  );
});

test("as text: the call returned, the loop runs again, the parent is gone", () => {
  const headline = (kind: StallReport["kind"]): string | undefined =>
    describeStall({ ...STUCK, kind, stack: [], inFlight: [] })[0];
  assert.equal(
    headline("returned"),
    "worker 12: the native call that blocked the event loop returned after 2.3 s; it was called from",
  );
  assert.equal(headline("recovered"), "worker 12: the event loop runs again after 2.3 s");
  assert.equal(headline("orphaned"), "worker 12: the arbiter is gone, exiting");
});

test("as text: other input cannot forge lines of the report", () => {
  const inFlight = [{ method: "GET", target: "/\n[1] [ERROR] forged", id: "\x1b[2J", age: 1 }];
  const lines = describeStall({ ...STUCK, stack: [], inFlight, children: [{ pid: 13, command: "a\nb" }] });
  assert.deepEqual(lines.slice(1), [
    "  in flight: GET /\\x0a[1] [ERROR] forged (id \\x1b[2J, 1 ms)",
    "  child process 13: a\\x0ab",
  ]);
});

test("a report that an app has written holds nothing but bounded text and numbers, and cannot forge a log line", () => {
  const hostile = { toString: 1, valueOf: 1 };
  const report = {
    kind: "stuck",
    pid: 12,
    time: hostile,
    blockedForMs: "long",
    inNative: 1,
    stack: ["at \n[1] [CRITICAL] forged\x1b[2J", hostile, null],
    inFlight: [
      null,
      { method: 1, target: hostile, age: "x", record: { time: 1e300, fields: { a: hostile } } },
    ],
    mainThread: "constructor",
    children: [null, { pid: hostile, command: hostile }],
  };
  const parsed = parseStallReport(JSON.stringify(report));
  assert.ok(parsed !== undefined);
  const lines = describeStall(parsed);
  assert.equal(lines[1], "    at \\x0a[1] [CRITICAL] forged\\x1b[2J");
  assert.ok(lines.every((line) => !/[\x00-\x1f]/.test(line)));
  assert.equal(parsed.mainThread, "unknown");
  const time = parsed.inFlight?.[1]?.record?.time as number;
  assert.ok(!Number.isNaN(new Date(time).getTime()), "a time that a log can write");
  for (const inFlight of [{}, "text", 5]) {
    const without = parseStallReport(JSON.stringify({ ...STUCK, inFlight }));
    assert.equal(without?.inFlight, undefined);
  }
  const long = parseStallReport(JSON.stringify({ ...STUCK, stack: ["x".repeat(100_000)] }));
  assert.ok(long !== undefined && String(long.stack[0]).length <= 2000);
});
