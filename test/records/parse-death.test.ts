/** A record may have been written by anybody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BOUNDS, parseDeathRecord } from "../../src/records/parse-death.ts";
import { tellDeath } from "../../src/records/story.ts";
import { deathOf } from "../support/death.ts";
import { randomNumbers } from "../support/random.ts";

const FULL = deathOf({
  error: { kind: "exception", message: "Error: x", stack: "at f (a.js:1:2)" },
  stall: { blockedFor: 1, where: "native code", stack: ["at f"], children: [{ pid: 5, command: "sleep" }] },
  requestsInFlight: [{ method: "GET", target: "/", id: "r1", age: 3 }],
  samples: [
    {
      time: 1,
      rss: 2,
      heapUsed: null,
      external: 4,
      loopDelay: 5,
      cpu: 0.5,
      requestsPerSecond: 6,
      inFlight: 7,
    },
  ],
  stderr: ["last"],
  memory: { heapSpaces: [{ name: "old space", bytes: 9 }], rss: 1 },
});

test("what is written is read", () => {
  for (const record of [deathOf(), FULL]) assert.deepEqual(parseDeathRecord(JSON.stringify(record)), record);
});

test("what is no record is refused", () => {
  const { worker, end, time, ...rest } = FULL;
  const others = [
    "",
    "{",
    "null",
    "[]",
    "7",
    { ...FULL, version: 2 },
    { ...FULL, time: "yesterday" },
    { ...rest, end, time },
    { ...rest, worker, time },
    { ...FULL, end: { ...end, reason: "boredom" } },
    { ...FULL, worker: { ...worker, pid: -1 } },
  ];
  for (const other of others) {
    const text = typeof other === "string" ? other : JSON.stringify(other);
    assert.equal(parseDeathRecord(text), undefined, text);
  }
});

test("lists and texts are cut to their bounds", () => {
  const long = "x".repeat(20_000);
  const many = <T>(value: T): T[] => Array.from({ length: 300 }, () => value);
  const record = parseDeathRecord(
    JSON.stringify({
      ...FULL,
      server: { ...FULL.server, name: long },
      error: { kind: "exception", message: long, stack: long },
      stall: { ...FULL.stall, stack: many(long), children: many({ pid: 1, command: long }) },
      requestsInFlight: many({ method: long, target: long, id: long, age: 1 }),
      samples: many(FULL.samples[0]),
      stderr: many("line"),
    }),
  );
  assert.ok(record !== undefined);
  assert.equal(record.server.name.length, BOUNDS.name);
  assert.equal(record.error?.stack?.length, BOUNDS.errorStack);
  assert.equal(record.stall?.stack.length, BOUNDS.frames);
  assert.equal(record.stall?.children.length, BOUNDS.children);
  assert.equal(record.requestsInFlight.length, BOUNDS.requests);
  assert.equal(record.requestsInFlight[0]?.target.length, BOUNDS.line);
  assert.equal(record.samples.length, BOUNDS.samples);
  assert.equal(record.stderr.length, BOUNDS.stderrLines);
});

test("whatever stands in place of a member, there is a record that can be told, or none", () => {
  const random = randomNumbers(13);
  const strange = [
    null,
    7,
    -1,
    1e300,
    "text\u001b[2J",
    [],
    [[]],
    {},
    true,
    { pid: {} },
    [null],
    [{ pid: [] }],
  ];
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  for (let round = 0; round < 3000; round++) {
    const record: Record<string, unknown> = structuredClone(FULL) as never;
    const name = pick(Object.keys(record));
    const inner = record[name];
    if (random(2) === 0 && typeof inner === "object" && inner !== null) {
      const members = inner as Record<string, unknown>;
      members[pick(Object.keys(members))] = pick(strange);
    } else record[name] = pick(strange);
    const parsed = parseDeathRecord(JSON.stringify(record));
    if (parsed === undefined) continue;
    for (const line of tellDeath(parsed)) assert.doesNotMatch(line, /[\0-\x1f\x7f]/);
  }
});
