/** The lines for statsd. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MAX_DATAGRAM_BYTES,
  MAX_TIMINGS,
  type StatsdTotals,
  statsdDatagrams,
  statsdLines,
  statsdTotals,
} from "../../src/metrics/statsd-lines.ts";
import { DURATION_BUCKETS } from "../../src/scoreboard/metrics.ts";
import { seriesOf } from "../support/series.ts";

const PLAIN = { prefix: undefined, tags: undefined };
const QUIET = { workers: 2, backlog: undefined };

const totals = (...series: (readonly [string, readonly number[]])[]): StatsdTotals =>
  statsdTotals(seriesOf(series));
const NO_TOTALS = totals();

/** The values of a histogram's series: its buckets, what is above them, and the sum. */
function values(counts: Readonly<Record<number, number>>, sum: number): number[] {
  const all = new Array<number>(DURATION_BUCKETS.length + 2).fill(0);
  for (const [bucket, count] of Object.entries(counts)) all[Number(bucket)] = count;
  all[all.length - 1] = sum;
  return all;
}

const SOME = totals(
  ["req|GET|200|http|1.1||", values({ 0: 2 }, 0.004)],
  ["req|POST|200|http|1.1||", values({ 0: 1 }, 0.002)],
  ["req|GET|500|http|1.1||", values({ 0: 1 }, 0.002)],
  ["req|GET||http|1.1|client_gone|", values({ 14: 1 }, 12)],
  ["queue", values({ 3: 9 }, 1)],
  ["log|error", [3]],
  ["log|warning", [1]],
  ["rej|malformed", [7]],
);

test("the totals add up what statsd is told of, and nothing else", () => {
  assert.equal(SOME.requests, 5);
  assert.deepEqual(
    [...SOME.statuses],
    [
      ["200", 3],
      ["500", 1],
    ],
  );
  assert.deepEqual(SOME.durations.counts, [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.ok(Math.abs(SOME.durations.sum - 12.008) < 1e-9);
});

test("gunicorn's names and types, with what has come since the last time", () => {
  const lines = statsdLines(NO_TOTALS, SOME, { workers: 2, backlog: 4 }, PLAIN);
  const timings = lines.filter((line) => line.includes("request.duration"));
  assert.deepEqual(
    lines.filter((line) => !timings.includes(line)),
    [
      "gunicorn.requests:5|c",
      "gunicorn.request.status.200:3|c",
      "gunicorn.request.status.500:1|c",
      "gunicorn.log.error:3|c",
      "gunicorn.log.warning:1|c",
      "gunicorn.workers:2|g",
      "gunicorn.backlog:4|ms",
    ],
  );
  assert.equal(timings.length, 5);
  for (const line of timings) assert.match(line, /^gunicorn\.request\.duration:\d+(\.\d{1,3})?\|ms$/);
  const next = totals(["req|GET|200|http|1.1||", values({ 0: 4 }, 0.008)]);
  const before = totals(["req|GET|200|http|1.1||", values({ 0: 3 }, 0.006)]);
  assert.deepEqual(statsdLines(before, next, QUIET, PLAIN), [
    "gunicorn.requests:1|c",
    "gunicorn.request.status.200:1|c",
    "gunicorn.request.duration:2|ms",
    "gunicorn.workers:2|g",
  ]);
  assert.deepEqual(statsdLines(next, next, QUIET, PLAIN), ["gunicorn.workers:2|g"]);
});

test("the prefix has one dot, as in gunicorn; DogStatsD's tags end each line", () => {
  for (const prefix of ["web.shop", "web.shop.", "web.shop.."])
    assert.deepEqual(statsdLines(SOME, SOME, QUIET, { ...PLAIN, prefix }), ["web.shop.gunicorn.workers:2|g"]);
  const tags = ["env:live", "team:shop"];
  const lines = statsdLines(NO_TOTALS, SOME, QUIET, { ...PLAIN, tags });
  assert.ok(lines.every((line) => line.endsWith("|#env:live,team:shop")));
  assert.ok(lines.includes("gunicorn.requests:5|c|#env:live,team:shop"));
  assert.deepEqual(statsdLines(SOME, SOME, QUIET, { ...PLAIN, tags: [] }), ["gunicorn.workers:2|g"]);
});

test("many requests: few durations, whose rate says how many there were", () => {
  const many = totals(["req|GET|200|http|1.1||", values({ 0: 5000, 3: 1000 }, 80)]);
  const lines = statsdLines(NO_TOTALS, many, QUIET, PLAIN);
  const timings = lines.filter((line) => line.includes("request.duration"));
  assert.equal(timings.length, MAX_TIMINGS);
  const total = timings.reduce((sum, line) => sum + 1 / Number(/\|ms\|@(0\.\d+)$/.exec(line)?.[1]), 0);
  assert.ok(Math.abs(total - 6000) < 0.1, String(total));
  assert.ok(lines.length < MAX_TIMINGS + 10);
});

test("datagrams fit into a frame, whole lines each", () => {
  const lines = Array.from({ length: 200 }, (_, index) => `gunicorn.request.status.${index}:1|c|#wo:ä`);
  const datagrams = statsdDatagrams(lines);
  assert.ok(datagrams.length > 1);
  for (const datagram of datagrams) assert.ok(datagram.length <= MAX_DATAGRAM_BYTES);
  assert.deepEqual(datagrams.join("\n").split("\n"), lines);
  const long = "x".repeat(MAX_DATAGRAM_BYTES + 1);
  assert.deepEqual(
    statsdDatagrams(["a", long, "b"]).map((datagram) => datagram.toString()),
    ["a", long, "b"],
  );
  assert.deepEqual(statsdDatagrams([]), []);
});
