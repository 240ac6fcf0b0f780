/** Workers stopped by a foreign signal, and processes that cannot be started, as data. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExitCode } from "../../../src/errors.ts";
import { booted, PaperPool } from "../../support/paper-pool.ts";

describe("workers stopped by a foreign signal", () => {
  test("are not replaced if the server is stopped at the same moment", () => {
    for (const stop of ["stopGracefully", "stopQuickly"] as const) {
      const paper = booted(2);
      paper.signalled(1, 2);
      paper.pass(200);
      paper.gone(1, "exited with code 0");
      assert.deepEqual(paper.newActions(), []);
      paper.pool[stop]();
      paper.settle();
      paper.gone(2, "exited with code 0");
      assert.deepEqual(
        paper.newActions().filter((line) => line.startsWith("spawn")),
        [],
      );
      assert.equal(paper.pool.exitCode, ExitCode.ok);
    }
  });

  test("are replaced a moment later if it is not", () => {
    const paper = booted(2);
    paper.signalled(1);
    paper.pass(249);
    assert.deepEqual(paper.newActions(), []);
    paper.pass(1);
    assert.deepEqual(paper.newActions(), ["spawn 3 in 1 of 1"]);
  });

  test("do not fail the first boot before the server's own signal can arrive", () => {
    const paper = new PaperPool(4);
    paper.signalled(1, 2, 3, 4);
    for (const id of [1, 2, 3, 4]) paper.gone(id, "exited with code 0");
    paper.newActions();
    paper.pass(200);
    assert.deepEqual(paper.newActions(), []);
    paper.pool.stopGracefully();
    paper.settle();
    assert.equal(paper.pool.exitCode, ExitCode.ok);
    assert.equal(paper.pool.desired.stop?.reason, undefined);
  });

  test("fail the first boot if they are stopped each time", () => {
    const paper = new PaperPool(1);
    paper.signalled(1);
    paper.gone(1, "exited with code 0");
    paper.pass(250);
    paper.signalled(2);
    paper.gone(2, "exited with code 0");
    paper.pass(250);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "a worker was stopped by a signal before it was ready");
  });

  test("end the drain delay, because no worker is left to serve", () => {
    for (const first of ["worker", "server"]) {
      const paper = booted(1);
      if (first === "worker") paper.signalled(1);
      paper.pool.stopGracefully(5000);
      if (first === "server") paper.signalled(1);
      paper.gone(1, "exited with code 0");
      assert.equal(paper.pool.exitCode, ExitCode.ok);
    }
  });
});

describe("processes that cannot be started", () => {
  test("are retried every second in the serving generation, which counts as no crash", () => {
    const paper = booted(2);
    paper.gone(2);
    paper.newActions();
    for (let time = 0; time < 5; time++) {
      paper.unstarted(3 + time);
      assert.deepEqual(paper.newActions(), ["unstarted: no room"]);
      paper.pass(900);
      assert.deepEqual(paper.newActions(), []);
      paper.pass(100);
      assert.deepEqual(paper.newActions(), [`spawn ${4 + time} in 2 of 1`]);
    }
    paper.ready(8);
    assert.equal(paper.pool.desired.crashRounds, 1);
  });

  test("fail a reload at once, with the reason", () => {
    const paper = booted(2);
    paper.reload();
    paper.newActions();
    paper.unstarted(3);
    assert.deepEqual(paper.newActions(), ["abandoned for 1: no room"]);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
  });

  test("fail the first boot while no worker is ready", () => {
    const paper = new PaperPool(2);
    paper.unstarted(1);
    paper.unstarted(2);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "no room");
  });

  test("do not fail a first boot that already serves", () => {
    const paper = new PaperPool(2);
    paper.ready(1);
    paper.unstarted(2);
    assert.equal(paper.pool.desired.stop, undefined);
    paper.pass(1000);
    paper.ready(3);
    assert.equal(paper.pool.desired.established, 1);
  });
});
