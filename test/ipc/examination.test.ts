import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asMainThreadView,
  asSlowRequests,
  examinationLine,
  PART_CHARACTERS,
  parseExaminationAnswer,
  parseWatchdogCommand,
} from "../../src/ipc/examination.ts";

test("an answer is read as it was written", () => {
  for (const answer of [
    { kind: "examined", number: 7, part: 'a\n\u2028"b' },
    { kind: "examined", number: 7, result: { doing: "idle" }, isFinal: false },
    { kind: "examined", number: 7, result: null, isFinal: true },
    { number: 7, failure: "is in native code", kind: "examined" },
  ] as const) {
    const line = examinationLine(answer);
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.deepEqual(parseExaminationAnswer(line.trimEnd()), answer);
  }
});

test("what a worker writes otherwise is no answer", () => {
  for (const line of [
    "",
    "null",
    "{}",
    '{"kind":"examined",',
    '{"kind":"examined","part":"x"}',
    '{"kind":"examined","number":1.5,"part":"x"}',
    '{"kind":"examined","number":1}',
    '{"kind":"examined","number":1,"part":7}',
    '{"kind":"examined","number":1,"result":{}}',
    `{"kind":"examined","number":1,"failure":"${"x".repeat(5000)}"}`,
    `{"kind":"examined","number":1,"part":"${"x".repeat(3 * PART_CHARACTERS)}"}`,
    '{"kind":"stuck","pid":1,"stack":[],"children":[]}',
  ])
    assert.equal(parseExaminationAnswer(line), undefined, line.slice(0, 80));
});

test("commands are read, and an unknown one is known to be one", () => {
  for (const command of [
    { number: 1, kind: "stack" },
    { number: 1, kind: "profile", milliseconds: 1000 },
    { number: 1, kind: "more", parts: 4 },
    { number: 1, kind: "cancel" },
  ])
    assert.deepEqual(parseWatchdogCommand(JSON.stringify(command)), command);
  for (const kind of ["dance", "profile", "more", undefined, { a: 1 }, "x".repeat(1000)]) {
    const read = parseWatchdogCommand(JSON.stringify({ number: 3, kind }));
    assert.equal(read?.kind, "unknown");
    assert.equal(read?.number, 3);
  }
  for (const line of ["", "x", "7", "null", '{"kind":"stack"}'])
    assert.equal(parseWatchdogCommand(line), undefined);
});

test("a worker's view is bounded, and has nothing else", () => {
  const view = asMainThreadView({
    doing: "javascript",
    stack: Array.from({ length: 1000 }, () => "f".repeat(10_000)),
    inFlight: Array.from({ length: 5000 }, () => ({
      method: "GET",
      target: 7,
      record: { fields: { cookie: "secret" } },
    })),
    blockedForMs: "long",
    mainThread: "dancing",
    children: [null, { pid: 1, command: "sh" }],
    environment: { TOKEN: "secret" },
  });
  assert.ok(JSON.stringify(view).length < 200_000);
  assert.doesNotMatch(JSON.stringify(view), /secret/);
  assert.deepEqual(
    [view?.blockedForMs, view?.mainThread, view?.children, view?.inFlight?.[0]],
    [0, "unknown", [{ pid: 1, command: "sh" }], { method: "GET", target: "", id: "", age: 0 }],
  );
  for (const other of [undefined, null, "idle", {}, { doing: "dancing" }])
    assert.equal(asMainThreadView(other), undefined);
});

test("slow requests that are none are left out", () => {
  const whole = { method: "GET", target: "/a", id: "x", status: 200, at: 1, duration: 2 };
  assert.deepEqual(
    asSlowRequests([whole, null, 7, { ...whole, at: "then" }, { ...whole, id: "", fields: {} }]),
    [whole, { ...whole, id: null }],
  );
  assert.deepEqual(asSlowRequests("none"), []);
});
