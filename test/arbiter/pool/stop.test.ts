/** Stopping, as data. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { QUIT_TIMEOUT_MS } from "../../../src/config/stop-time.ts";
import { ExitCode } from "../../../src/errors.ts";
import { booted } from "../../support/paper-pool.ts";

describe("stopping", () => {
  test("drains, quits and then kills workers that are not done in time, and exits after the last one", () => {
    const paper = booted(2);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions(), ["drain 1", "drain 2"]);
    paper.gone(1);
    paper.pass(30_000);
    assert.deepEqual(paper.newActions(), ["overdue 2", "quit 2"]);
    paper.pass(QUIT_TIMEOUT_MS - 1);
    assert.deepEqual(paper.newActions(), []);
    paper.pass(1);
    assert.deepEqual(paper.newActions(), ["kill 2: stop-timeout"]);
    assert.equal(paper.pool.exitCode, undefined);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.ok);
  });

  test("does not wait for a booting worker", () => {
    const paper = booted(1);
    paper.pool.scale(2);
    paper.settle();
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions().slice(1), ["drain 1", "drain 2"]);
    paper.pass(QUIT_TIMEOUT_MS);
    assert.deepEqual(paper.newActions(), ["kill 2: stop-timeout"]);
  });

  test("a worker that began to serve before it was told to stop finishes its requests", () => {
    const paper = booted(1);
    paper.pool.scale(2);
    paper.settle();
    paper.pool.scale(1);
    paper.settle();
    assert.deepEqual(paper.newActions(), ["spawn 2 in 2 of 1", "drain 2"]);
    // Its word that it serves was on the way.
    paper.ready(2);
    paper.pass(29_999);
    assert.deepEqual(paper.newActions(), []);
    paper.pass(1);
    assert.deepEqual(paper.newActions(), ["overdue 2", "quit 2"]);
    paper.pass(QUIT_TIMEOUT_MS);
    assert.deepEqual(paper.newActions(), ["kill 2: stop-timeout"]);
  });

  test("a second request hastens it, a third kills; one within a moment of the first counts as the first", () => {
    const paper = booted(1);
    paper.pool.stopGracefully();
    paper.settle();
    paper.pass(10);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions(), ["drain 1"]);
    paper.pass(1000);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions(), ["quit 1"]);
    paper.pass(10);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions(), [], "a repetition within a moment of the second is the second");
    paper.pass(1000);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.newActions(), ["kill 1: stop"]);
  });
});
