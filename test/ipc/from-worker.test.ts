import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFromPreflight, parseFromWorker } from "../../src/ipc/from-worker.ts";
import type { FromPreflight, FromWorker } from "../../src/ipc/messages.ts";

const FAILURE = { kind: "load", message: "no app", stack: "at app.ts:1" } as const;

const MESSAGES: readonly FromWorker[] = [
  { type: "booting" },
  { type: "boot-step", step: "warm-up", of: "/" },
  { type: "loaded", files: [{ path: "/srv/app.ts", stamp: "1-2" }] },
  { type: "ready", serving: "fetch function" },
  { type: "failed", ...FAILURE },
  { type: "beat", connections: 3, requests: 4, debugged: false, isShort: true, notReady: "no database" },
  { type: "answer", number: 7, answer: { kind: "received" } },
  { type: "answer", number: 7, answer: { kind: "value", value: [1] } },
  { type: "answer", number: 7, answer: { kind: "error", error: "it failed" } },
  { type: "due", why: "descriptors", amount: 9 },
  { type: "due", why: "heap", amount: 9 },
  { type: "draining", cause: "SIGTERM" },
];

test("every message of a worker is read as it was sent", () => {
  for (const message of MESSAGES) assert.deepEqual(parseFromWorker(message), message);
  const fromPreflight: readonly FromPreflight[] = [
    { type: "boot-step", step: "load", of: "app.ts" },
    { type: "loaded", what: "fetch function" },
    { type: "failed", exitCode: 4, ...FAILURE },
  ];
  for (const message of fromPreflight) assert.deepEqual(parseFromPreflight(message), message);
});

test("what an app sends in their place is no message, or a harmless one", () => {
  const others = [null, 1, "ready", true, [], {}, { type: 1 }, { type: "toString" }, { type: "constructor" }];
  const broken = [
    { type: "boot-step", step: "toString" },
    { type: "due", why: "constructor" },
    { type: "answer", number: "7", answer: { kind: "received" } },
    { type: "answer", number: 7, answer: null },
    { type: "answer", number: 7 },
  ];
  for (const value of [...others, ...broken]) assert.equal(parseFromWorker(value), undefined);
  for (const value of others) assert.equal(parseFromPreflight(value), undefined);

  const hostile = { toString: 1, valueOf: 1 };
  assert.deepEqual(
    parseFromWorker({ type: "answer", number: 7, answer: { kind: "error", error: hostile } }),
    {
      type: "answer",
      number: 7,
      answer: { kind: "error", error: "" },
    },
  );
  assert.deepEqual(parseFromWorker({ type: "beat", connections: "many", requests: -1, notReady: hostile }), {
    type: "beat",
    connections: 0,
    requests: 0,
    debugged: false,
  });
  for (const files of [hostile, [null, hostile, { path: 1 }]])
    assert.deepEqual(parseFromWorker({ type: "loaded", files }), { type: "loaded", files: [] });
  const failed = parseFromWorker({ type: "failed", kind: "x", message: "m".repeat(1_000_000), stack: 5 });
  assert.ok(failed?.type === "failed" && failed.message.length <= 10_000 && failed.kind === "startup");
});
