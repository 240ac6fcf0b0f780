/** Crashes and silence, as data. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExitCode } from "../../../src/errors.ts";
import { booted, LIMITS, PaperPool } from "../../support/paper-pool.ts";

describe("crashes", () => {
  test("a crashed worker is replaced at once, in its slot", () => {
    const paper = booted(2);
    paper.gone(2);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 2 of 1"]);
  });

  test("a sound worker is replaced at once, however often it is killed", () => {
    const paper = booted(1);
    for (let id = 1; id <= 20; id++) {
      paper.pass(1000);
      paper.newActions();
      paper.gone(id);
      assert.deepEqual(paper.newActions(), [`spawn ${id + 1} in 1 of 1`]);
      paper.ready(id + 1);
    }
    assert.equal(paper.pool.desired.crashRounds, 0);
  });

  test("while no worker is ready, one is started at once after every crash", () => {
    const paper = booted(3);
    for (let round = 0; round < 20; round++) {
      for (const id of paper.ids("ready")) paper.gone(id);
      assert.notDeepEqual(paper.ids("booting"), [], `no worker serves or boots in round ${round}`);
      paper.pass(200);
      paper.ready(paper.ids("booting")[0] as number);
    }
    // The others wait, so that the work of crash after crash is that of one boot at a time.
    for (const id of [...paper.ids("ready"), ...paper.ids("booting")]) paper.gone(id);
    assert.equal(paper.pool.roster.length, 1);
    assert.ok(paper.pool.desired.respawnsLimitedUntil - paper.now <= 1000);
    paper.ready(...paper.ids("booting"));
    paper.pass(1000);
    assert.equal(paper.pool.roster.length, 3);
  });

  test("while others serve, a replacement starts within a second after every crash", () => {
    const paper = booted(2);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      const last = paper.pool.roster.find(({ slot }) => slot === 2)?.id as number;
      paper.pool.workerGone(last, "exited with code 1");
      const wakeAt = paper.settle() as number;
      waits.push(paper.pool.roster.length === 2 ? 0 : wakeAt - paper.now);
      paper.pass(waits.at(-1) as number);
      assert.equal(paper.pool.roster.length, 2);
      paper.ready(...paper.ids("booting"));
    }
    assert.deepEqual(waits, [0, 0, 0, 250, 500, 1000, 1000, 1000]);
    paper.pass(1000);
    paper.gone(paper.pool.roster.find(({ slot }) => slot === 2)?.id as number);
    assert.equal(paper.pool.roster.length, 2, "the next one was not spawned at once");
    assert.equal(paper.pool.desired.crashRounds, 0);
  });

  test("if workers cannot boot, one tries at least every two seconds; once it is ready all start", () => {
    const paper = booted(4);
    paper.pass(500);
    for (const id of [1, 2, 3, 4]) paper.gone(id);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      paper.pass(50);
      for (const id of paper.ids("booting")) paper.gone(id, "exited with code 1");
      const booting = paper.ids("booting").length;
      waits.push(booting > 0 ? 0 : paper.pool.desired.respawnsLimitedUntil - paper.now);
      paper.pass(waits.at(-1) as number);
      assert.equal(paper.ids("booting").length, round < 2 ? 4 : 1, `in round ${round}`);
    }
    assert.deepEqual(waits, [0, 0, 250, 500, 1000, 2000, 2000, 2000]);
    paper.pass(10_000);
    assert.equal(paper.pool.roster.length, 1, "a second one tries what the first one may not be able to");
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.roster.length, 4);
  });

  test("workers that cannot boot while others serve are tried one at a time", () => {
    const paper = booted(4);
    for (let round = 0; round < 6; round++) {
      paper.pass(Math.max(0, paper.pool.desired.respawnsLimitedUntil - paper.now));
      for (const slot of [3, 4]) {
        const worker = paper.pool.roster.find((other) => other.slot === slot);
        if (worker !== undefined) paper.gone(worker.id, "exited with code 1");
      }
    }
    paper.pass(2000);
    assert.equal(paper.ids("booting").length, 1);
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.roster.length, 4);
  });

  test("a sound worker that dies is not replaced before the wait that crashes of others caused", () => {
    const paper = booted(3);
    paper.pass(1000);
    for (let round = 0; round < 5; round++) {
      paper.gone(paper.pool.roster.find(({ slot }) => slot === 2)?.id as number);
      paper.ready(...paper.ids("booting"));
    }
    const wait = paper.pool.desired.respawnsLimitedUntil - paper.now;
    assert.ok(wait > 0);
    paper.gone(1);
    assert.deepEqual(paper.ids("ready"), [3]);
    assert.deepEqual(paper.ids("booting"), []);
    paper.pass(wait);
    assert.equal(paper.pool.roster.length, 3);
  });

  test("crashes of workers that were ready do not end an incomplete first boot", () => {
    const paper = new PaperPool(2);
    for (let round = 0; round < 6; round++) {
      const [first] = paper.ids("booting");
      paper.ready(first as number);
      paper.gone(first as number, "exited with code 1");
    }
    assert.equal(paper.pool.desired.stop, undefined);
    paper.pass(1000);
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.desired.established, 1);
  });

  test("a crash long after a series starts a new one", () => {
    const paper = booted(1);
    while (paper.pool.desired.crashRounds < 6) {
      paper.pass(Math.max(0, paper.pool.desired.respawnsLimitedUntil - paper.now));
      paper.gone(paper.pool.roster[0]?.id as number);
    }
    paper.pass(paper.pool.desired.respawnsLimitedUntil - paper.now);
    paper.ready(...paper.ids("booting"));
    paper.pass(60_000);
    paper.pool.scale(2);
    paper.settle();
    const [added] = paper.ids("booting");
    paper.gone(added as number);
    assert.equal(paper.pool.desired.crashRounds, 1);
    assert.equal(paper.pool.roster.length, 2, "its successor was not spawned at once");
  });

  test("workers that crash together are one round", () => {
    const paper = booted(4);
    paper.pass(900);
    for (const id of [1, 2, 3, 4]) paper.gone(id);
    assert.equal(paper.pool.desired.crashRounds, 1);
    assert.deepEqual(paper.ids("booting"), [5, 6, 7, 8]);
    paper.pass(1000);
    paper.ready(5, 6, 7, 8);
    for (const id of [5, 6, 7, 8]) paper.gone(id);
    assert.equal(paper.pool.desired.crashRounds, 2);
  });

  test("the crash limit stops the server with exit code 3, gracefully", () => {
    const paper = booted(2, 1, { ...LIMITS, crashes: { deaths: 3, within: 10_000 } });
    paper.gone(1);
    paper.pass(10_000);
    paper.ready(3);
    for (const id of [3, 4]) {
      paper.gone(id);
      paper.ready(...paper.ids("booting"));
    }
    assert.equal(paper.pool.desired.stop, undefined, "the first was too long ago");
    paper.newActions();
    paper.gone(5);
    assert.deepEqual(paper.newActions(), ["drain 2"]);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    const { desired } = paper.pool;
    assert.match(desired.stop?.reason ?? "", /^3 workers have died within 10s/);
  });

  test("a replacement that cannot boot does not end a server that has served", () => {
    const paper = booted(2);
    paper.gone(2);
    paper.failed(3, "broken meanwhile");
    assert.deepEqual(paper.newActions(), ["spawn 3 in 2 of 1", "failed 3", "spawn 4 in 2 of 1"]);
    assert.equal(paper.pool.desired.stop, undefined);
  });
});

describe("silence", () => {
  test("a worker that sends no heartbeat for too long is killed and replaced", () => {
    const paper = booted(2, 1, { ...LIMITS, crashes: { deaths: 9, within: 60_000 } });
    paper.silent.add(2);
    paper.pass(19_999);
    assert.deepEqual(paper.newActions(), []);
    paper.pass(1);
    assert.deepEqual(paper.newActions(), ["kill 2: silence", "spawn 3 in 2 of 1"]);
    assert.equal(paper.pool.desired.deathTimes.length, 1);
    paper.gone(2);
    assert.equal(paper.pool.desired.deathTimes.length, 1, "its end is no second death");
  });

  test("a booting worker may be silent, and one with a debugger", () => {
    const paper = new PaperPool(1);
    paper.silent.add(1);
    paper.pass(50_000);
    paper.ready(1);
    paper.pool.workerBeat(1, { connections: 0, requests: 0, debugged: true });
    paper.pass(60_000);
    assert.deepEqual(paper.newActions(), ["spawn 1 in 1 of 1", "established 1"]);
  });

  test("a silent draining worker is killed before its graceful timeout", () => {
    const paper = booted(1);
    paper.pass(60_000);
    paper.silent.add(1);
    paper.pool.stopGracefully();
    paper.pass(20_000);
    assert.deepEqual(paper.newActions(), ["drain 1", "kill 1: silence"]);
  });

  test("a new generation whose workers block is abandoned", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.gone(1, "exited with code 0");
    paper.silent.add(3);
    paper.pass(20_000);
    paper.ready(5);
    paper.silent.add(5);
    paper.pass(20_000);
    assert.match(
      paper.newActions().join("\n"),
      /abandoned for 1: a worker was stuck soon after it was ready/,
    );
  });
});
