import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventReport } from "../../src/control/stats.ts";
import { joinEvents } from "../../src/dashboard/events.ts";
import { joinHistory } from "../../src/dashboard/history.ts";
import { eventReports, historyReport, historySince, TIME } from "../support/dashboard-data.ts";

const SECOND = 1000;

test("what the page joins from pieces is what the server has", () => {
  const whole = historyReport(TIME, 600);
  let joined = joinHistory(undefined, historyReport(TIME - 6 * SECOND, 594));
  // The server keeps ten minutes, and sends what is new.
  for (const _poll of [1, 2, 3]) joined = joinHistory(joined, historySince(whole, joined.time.at(-1) ?? 0));
  assert.deepEqual(joined.time, whole.time);
  assert.equal(joined.byClass["2xx"]?.length, 600);
  assert.deepEqual(joined.byClass["2xx"]?.slice(-6), whole.byClass["2xx"]?.slice(-6));
  assert.deepEqual(joined.slots[3]?.cpu.slice(-6), whole.slots[3]?.cpu.slice(-6));
  assert.deepEqual(joined.durations.counts.slice(-6), whole.durations.counts.slice(-6));
});

test("a slot or a reason that comes later is empty before, and one that goes is empty after", () => {
  const two = historyReport(TIME, 10, 2);
  const three = historyReport(TIME + 10 * SECOND, 10, 3);
  const news = {
    ...three,
    slots: three.slots.slice(1),
    byClass: { "2xx": three.byClass["2xx"] ?? [], "1xx": three.starts },
  };
  const joined = joinHistory(two, news);
  assert.deepEqual(
    joined.slots.map(({ slot }) => slot),
    [1, 2, 3],
  );
  assert.deepEqual(joined.slots[0]?.cpu, [...(two.slots[0]?.cpu ?? []), ...new Array(10).fill(null)]);
  assert.deepEqual(joined.slots[2]?.cpu, [...new Array(10).fill(null), ...(three.slots[2]?.cpu ?? [])]);
  assert.deepEqual(joined.byClass["1xx"]?.slice(0, 10), new Array(10).fill(0));
  assert.deepEqual(joined.byClass["5xx"]?.slice(10), new Array(10).fill(0));
});

test("points that another arbiter sends again after an upgrade count once", () => {
  const before = historyReport(TIME, 30);
  const joined = joinHistory(before, historyReport(TIME + 5 * SECOND, 30));
  assert.equal(joined.time.length, 35);
  assert.deepEqual(
    joined.time,
    joined.time.toSorted((a, b) => a - b),
  );
});

test("points older than ten minutes go, also after a gap in which the page was hidden", () => {
  const joined = joinHistory(historyReport(TIME, 600), historyReport(TIME + 700 * SECOND, 100));
  assert.equal(joined.time.length, 100);
  assert.equal(joined.slots[0]?.cpu.length, 100);
});

test("events of an arbiter that was replaced stay known, and each is listed once", () => {
  const old = eventReports(TIME);
  const news = [{ ...(old[0] as EventReport), number: 1, time: new Date(TIME).toISOString() }];
  const joined = joinEvents(joinEvents([], old), [...old.slice(3), ...news]);
  assert.equal(joined.length, old.length + 1);
  assert.deepEqual(joined.at(-1), news[0]);
  assert.deepEqual(
    joined.map(({ time }) => time),
    joined.map(({ time }) => time).toSorted(),
  );
  const many = Array.from({ length: 300 }, (_, index) => ({ ...(old[0] as EventReport), number: index }));
  assert.deepEqual(
    joinEvents([], many)
      .map(({ number }) => number)
      .slice(0, 1),
    [100],
  );
});

test("another server's buckets begin a new history", () => {
  const news = historyReport(TIME + SECOND, 5);
  const other = { ...news, durations: { bounds: [1, 2], counts: news.durations.counts } };
  assert.equal(joinHistory(historyReport(TIME, 30), other), other);
});
