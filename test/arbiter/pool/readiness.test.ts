/** Readiness as a function of the desired state and the roster. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstBoot } from "../../../src/arbiter/pool/desired.ts";
import { type ReadinessState, unreadyReasons } from "../../../src/arbiter/pool/readiness.ts";
import { withEstablished } from "../../../src/arbiter/pool/rollout.ts";
import { type Roster, withBeat, withReady, withSpawned } from "../../../src/arbiter/pool/roster.ts";
import { withStop } from "../../../src/arbiter/pool/stop.ts";

const BOOTING = firstBoot(2, 1, { boot: 60_000, graceful: 30_000, silence: 30_000, crashes: undefined });
const SERVING = withEstablished(BOOTING);
const BEAT = { connections: 0, requests: 0, debugged: false };

/** Workers 1 and 2, ready since 0. */
function twoReady(): Roster {
  let roster: Roster = [];
  for (const id of [1, 2]) {
    roster = withSpawned(roster, { id, slot: id, generation: 1, maxSilence: 30_000 }, 0);
    roster = withReady(roster, id, 0);
  }
  return roster;
}

function state(change: Partial<ReadinessState>): ReadinessState {
  return {
    desired: SERVING,
    roster: twoReady(),
    now: 0,
    minReady: 1,
    isBroken: false,
    isSuccessorReady: false,
    lostSockets: [],
    ...change,
  };
}

test("a server with enough responsive workers is ready", () => {
  assert.deepEqual(unreadyReasons(state({})), []);
  assert.deepEqual(unreadyReasons(state({ minReady: 2, now: 5000 })), []);
});

test("a worker without descriptors left does not count as ready", () => {
  const short = { ...BEAT, isShort: true };
  const one = withBeat(twoReady(), 1, short, 0);
  assert.deepEqual(unreadyReasons(state({ roster: one })), []);
  assert.deepEqual(unreadyReasons(state({ roster: withBeat(one, 2, short, 0) })), [
    "0 workers ready, 1 wanted; 2 workers without file descriptors left",
  ]);
});

test("a worker whose app says that it is not ready does not count, for each reason once", () => {
  const away = { ...BEAT, notReady: "the database is away" };
  const one = withBeat(twoReady(), 1, away, 0);
  assert.deepEqual(unreadyReasons(state({ roster: one })), []);
  assert.deepEqual(unreadyReasons(state({ roster: withBeat(one, 2, away, 0) })), [
    "0 workers ready, 1 wanted; the app of 2 workers says: the database is away",
  ]);
  assert.deepEqual(unreadyReasons(state({ roster: withBeat(one, 2, { ...away, isShort: true }, 0) })), [
    "0 workers ready, 1 wanted; 1 worker without file descriptors left; the app of 1 worker says: the database is away",
  ]);
  assert.deepEqual(unreadyReasons(state({ roster: withBeat(one, 1, BEAT, 1), minReady: 2 })), []);
});

test("a worker is silent some time after its last beat, and counts again at the next", () => {
  const one = withBeat(twoReady(), 1, BEAT, 4000);
  assert.deepEqual(unreadyReasons(state({ roster: one, now: 9000 })), []);
  assert.deepEqual(unreadyReasons(state({ roster: one, now: 9000, minReady: 2 })), [
    "1 worker ready, 2 wanted; 1 worker silent for more than 5s",
  ]);
  assert.deepEqual(unreadyReasons(state({ roster: one, now: 9001 })), [
    "0 workers ready, 1 wanted; 2 workers silent for more than 5s",
  ]);
  assert.deepEqual(unreadyReasons(state({ roster: withBeat(one, 2, BEAT, 9001), now: 9001 })), []);
});

test("workers that boot are counted, so that a reader knows whether to wait", () => {
  const roster = withSpawned([], { id: 1, slot: 1, generation: 1, maxSilence: 30_000 }, 0);
  assert.deepEqual(unreadyReasons(state({ roster })), ["0 workers ready, 1 wanted; 1 worker booting"]);
});

test("a Unix socket that clients cannot reach is named", () => {
  const lostSockets = [{ url: "unix:/run/app.sock", loss: "removed" }] as const;
  assert.deepEqual(unreadyReasons(state({ lostSockets })), ["unix:/run/app.sock: its file was removed"]);
});

test("a booting or stopping server is not ready; several faults are all reported", () => {
  assert.deepEqual(unreadyReasons(state({ desired: BOOTING, isBroken: true })), ["booting"]);
  assert.deepEqual(unreadyReasons(state({ desired: withStop(SERVING, "graceful", 0) })), ["stopping"]);
  assert.deepEqual(unreadyReasons(state({ roster: [], isBroken: true })), [
    "the app is broken",
    "0 workers ready, 1 wanted",
  ]);
});
