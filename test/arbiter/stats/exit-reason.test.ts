/** Why a worker ended, from what the roster says of it and how its process ended. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Ending } from "../../../src/arbiter/event.ts";
import type { WorkerRecord } from "../../../src/arbiter/pool/roster.ts";
import { withSpawned } from "../../../src/arbiter/pool/roster.ts";
import { ownStopCause } from "../../../src/arbiter/pool/stop-cause.ts";
import { type EndFacts, workerEnd } from "../../../src/arbiter/stats/exit-reason.ts";

const [BOOTING] = withSpawned([], { id: 1, slot: 1, generation: 1, maxSilence: 30_000 }, 0);
const READY = { ...BOOTING, state: "ready", readyAt: 100 } as WorkerRecord;
const RELOADED = {
  ...READY,
  state: "draining",
  ordered: "drain",
  stopBy: 5000,
  stoppedFor: { reason: "reload", text: "a reload" },
} as WorkerRecord;

function exited(code: number): Ending {
  return { code, signal: null };
}

function killedBy(signal: NodeJS.Signals): Ending {
  return { code: null, signal };
}

function end(worker: Partial<WorkerRecord>, ending: Ending, facts: Partial<EndFacts> = {}): string {
  const base = worker.state === "booting" ? BOOTING : READY;
  const { reason, orderedFor, isProblem } = workerEnd({ ...base, ...worker } as WorkerRecord, ending, {
    isStopping: false,
    isUpgrade: false,
    isHeapExhausted: false,
    ...facts,
  });
  return `${reason}, ${orderedFor ?? "not ordered"}, ${isProblem ? "problem" : "fine"}`;
}

describe("a worker that nobody told to stop", () => {
  test("an exit is a crash, whatever its code", () => {
    assert.equal(end({}, exited(0)), "crash, not ordered, problem");
    assert.equal(end({}, exited(7)), "crash, not ordered, problem");
  });

  test("signals that people send are told from those of a fault", () => {
    assert.equal(end({}, killedBy("SIGKILL")), "killed, not ordered, problem");
    assert.equal(end({}, killedBy("SIGTERM")), "killed, not ordered, problem");
    assert.equal(end({}, killedBy("SIGSEGV")), "crash, not ordered, problem");
    assert.equal(end({}, killedBy("SIGABRT")), "crash, not ordered, problem");
  });

  test("an exhausted heap has a reason of its own", () => {
    assert.equal(end({}, killedBy("SIGABRT"), { isHeapExhausted: true }), "heap_oom, not ordered, problem");
    const booting = { state: "booting" } as const;
    assert.equal(
      end(booting, killedBy("SIGABRT"), { isHeapExhausted: true }),
      "heap_oom, not ordered, problem",
    );
  });

  test("one that was not ready failed to boot", () => {
    assert.equal(end({ state: "booting" }, exited(1)), "boot_failed, not ordered, problem");
    const failure = { kind: "load", message: "no such module" } as const;
    const failed = { state: "draining", ordered: "quit", failure } as const;
    assert.equal(end(failed, exited(1)), "boot_failed, not ordered, problem");
    assert.equal(
      end({ ...failed, ordered: "kill", killedFor: "boot-timeout" }, killedBy("SIGKILL")),
      "boot_failed, the boot timeout, problem",
    );
  });

  test("a foreign signal, or an app that closed its server, is a problem although the exit is clean", () => {
    const stopped = { ...RELOADED, stoppedFor: ownStopCause("SIGTERM") };
    assert.equal(end(stopped, exited(0)), "killed, not ordered, problem");
    const closed = { ...RELOADED, stoppedFor: ownStopCause("closed") };
    assert.equal(end(closed, exited(0)), "crash, its app, which closed its server, problem");
  });

  test("a signal to the whole process group is the server's stop", () => {
    const stopped = { ...RELOADED, stoppedFor: ownStopCause("SIGINT") };
    assert.equal(end(stopped, exited(0), { isStopping: true }), "stop, a stop of the server, fine");
    const booting = { state: "booting" } as const;
    assert.equal(end(booting, killedBy("SIGINT"), { isStopping: true }), "stop, a stop of the server, fine");
  });
});

describe("a worker that was told to stop", () => {
  test("a clean exit has the reason of the order, also when the server stops meanwhile", () => {
    assert.equal(end(RELOADED, exited(0)), "reload, a reload, fine");
    assert.equal(end(RELOADED, killedBy("SIGTERM")), "reload, a reload, fine");
    assert.equal(end(RELOADED, exited(0), { isStopping: true }), "reload, a reload, fine");
  });

  test("an old arbiter's workers end for the upgrade", () => {
    const stopped = { ...RELOADED, stoppedFor: { reason: "stop", text: "a stop of the server" } as const };
    const facts = { isStopping: true, isUpgrade: true };
    assert.equal(end(stopped, exited(0), facts), "upgrade, an upgrade of the server, fine");
    assert.equal(end(stopped, exited(0), { isStopping: true }), "stop, a stop of the server, fine");
  });

  test("one that crashes while it drains is a crash", () => {
    assert.equal(end(RELOADED, killedBy("SIGSEGV")), "crash, not ordered, problem");
    assert.equal(end(RELOADED, exited(1)), "crash, not ordered, problem");
  });

  test("one that did not stop in time is a problem", () => {
    const late = { ...RELOADED, ordered: "kill", killedFor: "stop-timeout" } as const;
    assert.equal(end(late, killedBy("SIGKILL")), "reload, a reload, and it did not stop in time, problem");
  });

  test("a silent one was stuck, in whatever state", () => {
    const silent = { ordered: "kill", killedFor: "silence", state: "draining" } as const;
    assert.equal(end(silent, killedBy("SIGKILL")), "stuck, no heartbeat for 30s, problem");
    assert.equal(
      end({ ...RELOADED, ...silent }, killedBy("SIGKILL")),
      "stuck, no heartbeat for 30s, problem",
    );
  });

  test("a stop by force is no problem", () => {
    const forced = { state: "draining", ordered: "kill", killedFor: "stop" } as const;
    assert.equal(end(forced, killedBy("SIGKILL"), { isStopping: true }), "stop, a stop of the server, fine");
  });
});

test("workers of an arbiter that leaves for its successor end for the upgrade, not for a smaller number", () => {
  const scaled = {
    ...RELOADED,
    stoppedFor: { reason: "scale", text: "a smaller number of workers" },
  } as const;
  assert.equal(end(scaled, exited(0)), "scale, a smaller number of workers, fine");
  const upgraded = end(scaled, exited(0), { isUpgrade: true });
  assert.equal(upgraded, "upgrade, an upgrade of the server, fine");
  // A reload or a recycling that began before keeps its reason.
  assert.equal(end(RELOADED, exited(0), { isUpgrade: true }), "reload, a reload, fine");
});
