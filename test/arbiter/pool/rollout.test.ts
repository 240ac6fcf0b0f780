/** The first boot and reloads, as data. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExitCode } from "../../../src/errors.ts";
import { booted, PaperPool } from "../../support/paper-pool.ts";

describe("first boot", () => {
  test("spawns all workers, and is established when all are ready", () => {
    const paper = new PaperPool(3);
    assert.deepEqual(paper.newActions(), ["spawn 1 in 1 of 1", "spawn 2 in 2 of 1", "spawn 3 in 3 of 1"]);
    paper.ready(1, 2);
    assert.deepEqual(paper.newActions(), []);
    paper.ready(3);
    assert.deepEqual(paper.newActions(), ["established 1"]);
  });

  test("an app that cannot be loaded stops the server with exit code 4 and the reason, without a respawn", () => {
    const paper = new PaperPool(2);
    paper.newActions();
    paper.failed(1, "no such module");
    paper.failed(2, "no such module");
    assert.deepEqual(paper.newActions(), ["abandoned for 0: no such module", "drain 2"]);
    paper.gone(1);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.appLoad);
    assert.equal(paper.pool.desired.stop?.reason, "no such module");
  });

  test("if one cannot boot, those that are ready finish what they serve before the server stops", () => {
    const paper = new PaperPool(3);
    paper.ready(1);
    paper.newActions();
    paper.failed(2, "the database is away");
    assert.deepEqual(paper.newActions(), ["abandoned for 0: the database is away", "drain 1", "drain 3"]);
    for (const id of [1, 2, 3]) paper.gone(id);
    assert.equal(paper.pool.desired.stop?.reason, "the database is away");
    assert.equal(paper.pool.exitCode, ExitCode.appLoad);
  });

  test("a worker that dies without a report is respawned once, then the server stops with exit code 3", () => {
    const paper = new PaperPool(1);
    paper.gone(1, "exited with code 0");
    assert.deepEqual(paper.newActions(), ["spawn 1 in 1 of 1", "spawn 2 in 1 of 1"]);
    paper.gone(2, "exited with code 0");
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "a worker exited with code 0 before it was ready");
  });

  test("a worker that is not ready within the boot timeout is killed, and the server stops", () => {
    const paper = new PaperPool(1);
    paper.newActions();
    paper.pass(59_999);
    assert.deepEqual(paper.newActions(), []);
    paper.pass(1);
    assert.deepEqual(paper.newActions(), [
      "kill 1: boot-timeout",
      "abandoned for 0: a worker was not ready within 60s: it has not begun to load the app",
    ]);
    paper.gone(1);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
  });
});

describe("reload", () => {
  test("replaces one worker after the other, each by a ready one", () => {
    const paper = booted(2);
    paper.reload();
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 2"]);
    paper.ready(3);
    assert.deepEqual(paper.newActions(), ["drain 1"]);
    paper.gone(1);
    assert.deepEqual(paper.newActions(), ["spawn 4 in 2 of 2"]);
    paper.ready(4);
    assert.deepEqual(paper.newActions(), ["drain 2", "established 2"]);
  });

  test("is not held up by new workers that are due again: old ones are replaced first", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.newActions();
    paper.pool.expire(3, { reason: "max_requests", text: "50 requests" });
    paper.gone(1);
    assert.deepEqual(paper.newActions(), ["spawn 4 in 2 of 2"]);
    paper.ready(4);
    assert.deepEqual(paper.newActions(), ["drain 2", "established 2"]);
    paper.gone(2);
    assert.deepEqual(paper.newActions(), ["spawn 5 in 1 of 2"]);
  });

  test("an app that cannot be loaded leaves the old workers alone", () => {
    const paper = booted(2);
    paper.reload();
    paper.failed(3, "no such module");
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 2", "abandoned for 1: no such module"]);
    paper.gone(3);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.deepEqual(paper.newActions(), []);
  });

  test("a worker that hangs in its boot is killed at the boot timeout, and nothing else happens", () => {
    const paper = booted(1);
    paper.reload();
    paper.pass(60_000);
    paper.gone(2);
    assert.deepEqual(paper.newActions(), [
      "spawn 2 in 1 of 2",
      "kill 2: boot-timeout",
      "abandoned for 1: a worker was not ready within 60s: it has not begun to load the app",
    ]);
    assert.deepEqual(paper.ids("ready"), [1]);
  });

  test("the target changes when the candidate is proven, and is restored with the old generation", () => {
    const paper = booted(2);
    paper.reload(4);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 2"]);
    paper.failed(3);
    paper.gone(3);
    assert.equal(paper.pool.desired.target, 2);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.deepEqual(paper.newActions(), ["abandoned for 1: no such module"]);
    paper.reload(4);
    paper.ready(4);
    assert.equal(paper.pool.desired.target, 4);
    assert.deepEqual(paper.ids("booting"), [5, 6]);
    paper.failed(5);
    assert.equal(paper.pool.desired.target, 2);
    for (const id of [5, 6]) paper.gone(id);
    for (const id of paper.ids("draining")) paper.gone(id);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.equal(paper.pool.roster.length, 2);
  });

  test("a target set during a reload holds however the reload ends", () => {
    for (const fails of [true, false]) {
      const paper = booted(2);
      paper.reload(4);
      paper.pool.scale(3);
      paper.settle();
      if (fails) paper.failed(3);
      else paper.ready(3);
      assert.equal(paper.pool.desired.target, 3);
    }
  });

  test("with no workers, one tries the candidate first, and stops if the candidate fails", () => {
    const paper = booted(2);
    paper.pool.scale(0);
    paper.settle();
    for (const id of [1, 2]) paper.gone(id);
    paper.newActions();
    paper.reload(3);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 2"]);
    paper.failed(3);
    paper.gone(3);
    assert.deepEqual(paper.newActions(), ["abandoned for 1: no such module"]);
    assert.deepEqual(paper.pool.roster, []);
    paper.reload(3);
    paper.ready(4);
    assert.deepEqual(paper.newActions(), ["spawn 4 in 1 of 3", "spawn 5 in 2 of 3", "spawn 6 in 3 of 3"]);
    paper.ready(5, 6);
    assert.deepEqual(paper.newActions(), ["established 3"]);
  });

  test("while the candidate is unproven, a crashed worker is replaced by one of the old generation", () => {
    const paper = booted(2);
    paper.reload();
    paper.gone(2);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 2", "spawn 4 in 2 of 1"]);
  });

  test("a failure half-way through restores the old generation", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.gone(1);
    paper.failed(4);
    paper.gone(4);
    // Worker 2 is still of the old generation; 3 makes room for one that is.
    assert.deepEqual(paper.newActions(), [
      "spawn 3 in 1 of 2",
      "drain 1",
      "spawn 4 in 2 of 2",
      "abandoned for 1: no such module",
      "spawn 5 in 1 of 1",
    ]);
    paper.ready(5);
    assert.deepEqual(paper.newActions(), ["drain 3"]);
  });

  test("a newer reload displaces an unproven one", () => {
    const paper = booted(1);
    paper.reload();
    paper.reload();
    assert.deepEqual(paper.newActions(), ["spawn 2 in 1 of 2", "drain 2"]);
    paper.gone(2);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 3"]);
  });

  test("a newer reload waits for a proven one", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.reload();
    assert.equal(paper.pool.desired.candidate?.generation, 2);
    assert.equal(paper.pool.desired.reloadQueued, true);
  });

  test("works when every worker is down and respawns are limited", () => {
    const paper = booted(1);
    for (let round = 0; round < 6; round++) {
      const worker = paper.pool.roster[0];
      if (worker !== undefined) paper.gone(worker.id);
      else paper.pass(60_000);
    }
    paper.pool.workerGone(paper.pool.roster[0]?.id ?? 0, "exited with code 1");
    paper.settle();
    paper.newActions();
    paper.reload();
    assert.match(paper.newActions()[0] ?? "", /^spawn \d+ in 1 of 2$/);
  });
});
