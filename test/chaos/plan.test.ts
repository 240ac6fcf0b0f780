import assert from "node:assert/strict";
import { test } from "node:test";
import { ACT_MS, FAULTS, plan, planText, wayText } from "./plan.ts";

test("the plan of a seed is always the same", () => {
  assert.equal(planText(plan(7, 5)), planText(plan(7, 5)));
  assert.notEqual(planText(plan(7, 5)), planText(plan(8, 5)));
  // A longer run begins like a shorter one: a failure after a minute needs a minute to be had again.
  assert.deepEqual(plan(7, 5).slice(0, 2), plan(7, 1));
});

test("a run of a minute has every fault", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const acts = plan(seed, 1);
    const names = new Set(acts.flatMap(({ actions }) => actions.map(({ fault }) => fault)));
    assert.deepEqual(
      Object.keys(FAULTS).filter((name) => !names.has(name as keyof typeof FAULTS)),
      [],
    );
    assert.ok(acts.every(({ actions }) => actions.every(({ at }) => at < ACT_MS)));
  }
});

test("the arbiter is killed once in every third act", () => {
  const kills = plan(3, 3).map(
    ({ actions }) => actions.filter(({ fault }) => fault === "kill-arbiter").length,
  );
  assert.deepEqual(kills, [0, 1, 0, 0, 1, 0]);
});

test("a run of a minute is half over TLS, and one of seven has every app in every way", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const acts = plan(seed, 7);
    assert.deepEqual(new Set(acts.slice(0, 2).map(({ way }) => way.tls)), new Set([true, false]));
    assert.equal(new Set(acts.map(({ way }) => wayText(way))).size, 14);
  }
});
