/** The roster keeps why each worker was told to stop, as of the order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QUIT_TIMEOUT_MS } from "../../../src/config/stop-time.ts";
import { booted, LIMITS, type PaperPool } from "../../support/paper-pool.ts";

function causes({ pool }: PaperPool): string[] {
  return pool.roster.flatMap(({ stoppedFor }) => stoppedFor?.reason ?? []);
}

test("one worker fewer: scale", () => {
  const paper = booted(2);
  paper.pool.scale(1);
  paper.settle();
  assert.deepEqual(causes(paper), ["scale"]);
});

test("a worker of the old generation: reload", () => {
  const paper = booted(1);
  paper.pool.reload(2, 1);
  paper.settle();
  paper.ready(2);
  assert.deepEqual(causes(paper), ["reload"]);
});

test("a recycled worker: its own cause, which a later stop does not change", () => {
  const paper = booted(1);
  paper.pool.expire(1, { reason: "max_requests", text: "1000 requests served" });
  paper.settle();
  paper.ready(2);
  paper.pool.stopQuickly();
  paper.settle();
  assert.deepEqual(causes(paper), ["max_requests", "stop"]);
});

test("a kill is remembered with its reason", () => {
  const paper = booted(1);
  paper.pool.stopGracefully();
  paper.settle();
  paper.pass(LIMITS.graceful + QUIT_TIMEOUT_MS);
  assert.deepEqual(
    paper.pool.roster.map(({ killedFor, stoppedFor }) => [killedFor, stoppedFor?.reason]),
    [["stop-timeout", "stop"]],
  );
});
