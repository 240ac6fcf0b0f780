/** The pool as data: scaling, recycling, and random sequences of all events. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activeWorkers } from "../../../src/arbiter/pool/roster.ts";
import { heldUntil } from "../../../src/arbiter/pool/spawn-holds.ts";
import { MAX_WORKERS } from "../../../src/config/settings.ts";
import { ExitCode } from "../../../src/errors.ts";
import { booted, type PaperPool } from "../../support/paper-pool.ts";
import { randomNumbers } from "../../support/random.ts";

const RESTART = { reason: "restart", text: "the command restart" } as const;
const SIGNALLED = { reason: "killed", text: "SIGTERM from outside" } as const;

describe("scaling", () => {
  test("one more takes the next slot, one fewer drains the highest", () => {
    const paper = booted(1);
    paper.pool.scale(2);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["spawn 2 in 2 of 1"]);
    paper.ready(2);
    paper.pool.scale(1);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["drain 2"]);
  });

  test("the target is limited to the maximum, and workers start a few at a time", () => {
    const paper = booted(1);
    paper.pool.scale(1e300);
    assert.equal(paper.pool.desired.target, MAX_WORKERS);
    const wakeAt = paper.settle();
    const started = paper.newActions().length;
    assert.ok(started > 0 && started < 20, `${started} processes were started in one go`);
    assert.equal(wakeAt, paper.now, "the rest follow at once, behind what has happened meanwhile");
    while (paper.settle() === paper.now);
    assert.equal(paper.pool.roster.length, MAX_WORKERS);
    assert.equal(paper.ids("booting").length, MAX_WORKERS - 1);
  });

  test("scales to zero and up again", () => {
    const paper = booted(2);
    paper.pool.scale(0);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["drain 2", "drain 1"]);
    paper.pool.scale(1);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 1"]);
  });
});

describe("recycling", () => {
  test("the replacement is ready before the old one drains, one at a time", () => {
    const paper = booted(2);
    paper.pool.expire(1, RESTART);
    paper.pool.expire(2, RESTART);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 1"]);
    paper.ready(3);
    assert.deepEqual(paper.newActions(), ["drain 1"]);
    paper.gone(1);
    assert.deepEqual(paper.newActions(), ["spawn 4 in 2 of 1"]);
  });

  test("a recycled worker makes room for a reload that began meanwhile", () => {
    const paper = booted(1);
    paper.pool.expire(1, RESTART);
    paper.settle();
    paper.reload();
    paper.ready(2);
    paper.gone(1);
    assert.deepEqual(paper.newActions(), ["spawn 2 in 1 of 1", "drain 1", "spawn 3 in 1 of 2"]);
  });
});

/** A random event. */
function happen(paper: PaperPool, random: (below: number) => number): string {
  const workers = paper.pool.roster;
  const worker = workers[random(Math.max(1, workers.length))];
  const { target } = paper.pool.desired;
  const events: [name: string, act: () => void][] = [
    ["reload", () => paper.reload(1 + random(4))],
    ["more", () => paper.pool.scale(Math.min(6, target + 1))],
    ["less", () => paper.pool.scale(target - 1)],
    ["time passes", () => paper.pass(random(5) * 400)],
    ["much time passes", () => paper.pass(random(3) * 30_000)],
  ];
  if (worker !== undefined) {
    const { id, state } = worker;
    const end = (): void => paper.gone(id);
    events.push([`worker ${id} ends`, end]);
    if (state === "draining") events.push([`worker ${id} ends`, end], [`worker ${id} ends`, end]);
    else events.push([`worker ${id} stops`, () => paper.pool.workerSignalled(id, SIGNALLED)]);
    if (state === "ready") events.push([`worker ${id} expires`, () => paper.pool.expire(id, RESTART)]);
    if (state === "ready") events.push([`worker ${id} falls silent`, () => paper.silent.add(id)]);
    if (state === "booting") {
      const ready = (): void => paper.ready(id);
      events.push([`worker ${id} is ready`, ready], [`worker ${id} is ready`, ready]);
      events.push([`worker ${id} fails`, () => paper.failed(id)]);
      events.push([`worker ${id} cannot be started`, () => paper.unstarted(id)]);
    }
  }
  const [name, act] = events[random(events.length)] as (typeof events)[number];
  act();
  return name;
}

/** If no worker serves, one boots, or will in a moment if workers cannot boot or be started. */
function assertOneBoots(paper: PaperPool): void {
  const { target, lastBootFailed, respawnsLimitedUntil } = paper.pool.desired;
  if (target === 0 || activeWorkers(paper.pool.roster).length > 0) return;
  const held = heldUntil(paper.pool.desired) - paper.now;
  const wait = Math.max(held, lastBootFailed ? respawnsLimitedUntil - paper.now : 0);
  assert.ok(wait > 0 && wait <= 2000 && held <= 1000, `no worker serves or boots, for ${wait} ms`);
}

/** From now on every worker boots, and every worker that is told to stop ends. */
function calmDown(paper: PaperPool): void {
  paper.silent.clear();
  for (let round = 0; round < 1000; round++) {
    paper.pass(100);
    const booting = paper.ids("booting");
    const draining = paper.ids("draining");
    if (paper.pool.desired.reloadQueued) paper.reload();
    if (
      booting.length === 0 &&
      draining.length === 0 &&
      paper.now >= paper.pool.desired.respawnsLimitedUntil &&
      paper.pool.roster.length >= paper.pool.desired.target
    ) {
      if (paper.pool.desired.candidate === undefined || paper.pool.desired.target === 0) return;
    }
    for (const id of draining) paper.gone(id);
    for (const id of booting) paper.ready(id);
  }
  assert.fail(
    `it does not settle: ${JSON.stringify(paper.pool.desired)} ${JSON.stringify(paper.pool.roster)}`,
  );
}

test("random sequences of events keep the invariants, and the pool settles", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = randomNumbers(seed);
    const story: string[] = [];
    try {
      const paper = booted(1 + random(4), 1 + random(2));
      for (let step = 0; step < 150; step++) {
        story.push(happen(paper, random));
        paper.settle();
        assert.equal(paper.pool.desired.stop, undefined, "a server that has served does not stop by itself");
        assert.equal(paper.settle(), paper.settle(), "a settled pool plans nothing");
        assertOneBoots(paper);
      }
      calmDown(paper);
      const { target, established } = paper.pool.desired;
      const { roster } = paper.pool;
      assert.deepEqual(
        roster.map((worker) => worker.slot).sort((a, b) => a - b),
        Array.from({ length: target }, (_, index) => index + 1),
        "each slot has one worker",
      );
      for (const worker of roster) {
        assert.equal(worker.state, "ready");
        assert.equal(worker.generation, established, "all are of one generation");
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${story.slice(-25).join("\n")}`, {
        cause: error,
      });
    }
  }
});

test("a stop ends in any state", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomNumbers(seed);
    const paper = booted(1 + random(4));
    for (let step = 0; step < random(60); step++) {
      happen(paper, random);
      paper.settle();
    }
    paper.pool.stopGracefully();
    paper.settle();
    const spawned = paper.newActions().length;
    for (let round = 0; round < 200 && paper.pool.exitCode === undefined; round++) {
      paper.pass(random(20_000));
      const [worker] = paper.pool.roster;
      if (worker !== undefined && (worker.ordered === "kill" || random(3) === 0)) paper.gone(worker.id);
    }
    assert.equal(paper.pool.exitCode, ExitCode.ok, `seed ${seed} with ${spawned} orders`);
    assert.ok(
      !paper.newActions().some((line) => line.startsWith("spawn")),
      "nothing is spawned while it stops",
    );
  }
});
