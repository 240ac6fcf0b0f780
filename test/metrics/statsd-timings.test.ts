/** Durations out of a histogram. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Distribution, timingsOf } from "../../src/metrics/statsd-timings.ts";
import { randomNumbers } from "../support/random.ts";

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

function histogram(durations: readonly number[]): Distribution {
  const counts = new Array<number>(BOUNDS.length + 1).fill(0);
  for (const duration of durations) {
    const index = BOUNDS.findIndex((bound) => duration <= bound);
    const bucket = index === -1 ? BOUNDS.length : index;
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return { bounds: BOUNDS, counts, sum: durations.reduce((sum, duration) => sum + duration, 0) };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test("each request has a value in its bucket, and their mean is the true one", () => {
  const numbers = randomNumbers(1);
  const next = (): number => numbers(1e6) / 1e6;
  const shapes: (() => number)[] = [
    () => 0.0003 + next() * 0.0002,
    () => next() ** 4,
    () => 0.02 + next() * 0.2,
    () => (next() < 0.9 ? 0.001 : 3 + next()),
  ];
  for (const [index, shape] of shapes.entries()) {
    const durations = Array.from({ length: 400 }, shape).sort((a, b) => a - b);
    const { values, rate } = timingsOf(histogram(durations), 1000);
    assert.equal(rate, 1);
    assert.deepEqual(histogram(values).counts, histogram(durations).counts, `shape ${index}`);
    const error = mean(values) / mean(durations) - 1;
    assert.ok(Math.abs(error) < 1e-4, `shape ${index}: the mean is wrong by ${error}`);
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
    );
  }
});

test("a sample has the percentiles of all", () => {
  const counts = [8000, 0, 1000, 0, 900, 0, 0, 100];
  const { values, rate } = timingsOf({ bounds: BOUNDS, counts, sum: 8000 * 0.001 + 20 + 60 + 100 * 9 }, 100);
  assert.equal(values.length, 100);
  assert.equal(rate, 0.01);
  assert.deepEqual(
    histogram(values).counts,
    counts.map((count) => count / 100),
  );
  assert.ok((values.at(-1) as number) > 5, "the longest are as long as their sum says");
});

test("no request has no values; one has one; a sum that cannot be is put up with", () => {
  assert.deepEqual(timingsOf(histogram([]), 100), { values: [], rate: 1 });
  const { values } = timingsOf(histogram([0.007]), 100);
  assert.equal(values.length, 1);
  assert.ok(Math.abs((values[0] as number) - 0.007) < 1e-6, String(values));
  for (const sum of [0, -1, 1e9]) {
    const found = timingsOf({ bounds: BOUNDS, counts: [0, 0, 5, 0, 0, 0, 0, 0], sum }, 100).values;
    assert.ok(
      found.every((value) => value >= 0.01 && value <= 0.025),
      `${sum}: ${found}`,
    );
  }
});
