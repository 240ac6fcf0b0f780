/** When workers are told their share of the connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Roster, withBeat, withReady, withSpawned } from "../../../src/arbiter/pool/roster.ts";
import { Balancer } from "../../../src/arbiter/workers/balancer.ts";

class Stage {
  readonly #balancer = new Balancer((id, message) => {
    if (message.type === "balance") this.#sent.push([id, message.share, message.shed]);
  });
  #roster: Roster = [1, 2].reduce<Roster>((roster, id) => {
    const spawned = withSpawned(roster, { id, slot: id, generation: 1, maxSilence: 30_000 }, 0);
    return withReady(spawned, id, 0);
  }, []);
  #sent: [number, number | undefined, number][] = [];

  beat(id: number, connections: number, requests: number, now: number): number | undefined {
    this.#roster = withBeat(this.#roster, id, { connections, requests, debugged: false }, now);
    return this.review(now);
  }

  review(now: number): number | undefined {
    return this.#balancer.review(this.#roster, now);
  }

  forget(id: number): void {
    this.#balancer.forget(id);
  }

  /** The messages sent since the last call: id, share, shed. */
  sent(): [number, number | undefined, number][] {
    return this.#sent.splice(0);
  }
}

test("a change is sent once the reports of a moment have been gathered, and not again", () => {
  const stage = new Stage();
  assert.equal(stage.beat(1, 20, 0, 100), 150);
  assert.equal(stage.beat(2, 20, 0, 110), 150);
  assert.deepEqual(stage.sent(), []);
  assert.equal(stage.review(150), undefined);
  assert.deepEqual(stage.sent(), [
    [1, 23, 0],
    [2, 23, 0],
  ]);
  assert.equal(stage.beat(1, 20, 50, 1000), undefined);
  assert.equal(stage.beat(2, 20, 50, 1000), undefined);
  assert.deepEqual(stage.sent(), []);
});

test("an order to shed is sent again only if requests were served since, and cancelled when it is needless", () => {
  const stage = new Stage();
  stage.beat(2, 0, 0, 100);
  stage.beat(1, 20, 7, 100);
  stage.review(150);
  assert.deepEqual(stage.sent(), [
    [1, 12, 10],
    [2, 12, 0],
  ]);
  assert.equal(stage.beat(1, 20, 9, 400), undefined, "they are still closing");
  assert.equal(stage.beat(1, 20, 7, 1000), undefined, "its connections are idle");
  assert.equal(stage.beat(1, 20, 8, 1100), 1150);
  stage.review(1150);
  assert.deepEqual(stage.sent(), [[1, 12, 10]]);
  stage.beat(1, 10, 20, 1500);
  stage.beat(2, 10, 20, 1500);
  stage.review(1550);
  assert.deepEqual(stage.sent(), [[1, 12, 0]]);
});

test("connections that come back to the same worker are shed ever more rarely", () => {
  const stage = new Stage();
  const orders = (from: number, to: number): number[] => {
    const times: number[] = [];
    let isGone = false;
    for (let now = from; now < to; now += 50) {
      // They leave as told, and come back.
      stage.beat(1, isGone ? 0 : 20, now, now);
      stage.beat(2, 0, 0, now);
      isGone = stage.sent().some(([, , shed]) => shed > 0);
      if (isGone) times.push(now);
    }
    return times;
  };
  const times = orders(1000, 60_000);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  assert.ok(times.length < 10, `${times}`);
  for (const [index, gap] of gaps.entries()) assert.ok(gap >= 300 * 2 ** index, `${times}`);
  stage.beat(1, 0, 60_000, 60_000);
  stage.beat(1, 0, 400_000, 400_000);
  assert.equal(orders(400_050, 401_000).length, 2, "later orders are new ones");
});

test("a worker that took another's id in no time is told anew", () => {
  const stage = new Stage();
  stage.beat(1, 20, 0, 100);
  stage.review(150);
  stage.sent();
  stage.forget(2);
  stage.review(200);
  stage.review(250);
  assert.deepEqual(stage.sent(), [[2, 12, 0]]);
});
