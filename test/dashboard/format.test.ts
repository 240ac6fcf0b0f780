import assert from "node:assert/strict";
import { test } from "node:test";
import { age, bytes, duration, FORMATS, moment, percent, plural, rate } from "../../src/dashboard/format.ts";

const MB = 1024 ** 2;

test("numbers are formatted for people", () => {
  const shown = {
    rates: [null, 0, 0.04, 0.5, 12.34, 99.96, 1842.4, 123_456, 2_500_000].map(rate),
    durations: [null, 0, 0.04, 3, 3.14, 41.6, 999.6, 1240, 59_400, 125_000].map(duration),
    ages: [null, 0, 59_900, 61_000, 3_600_000, 7_260_000, 187_200_000].map(age),
    sizes: [null, 0, 999, 1000, 13.2 * MB, 61_000_000, 1024 * MB, 1.5e12].map(bytes),
    shares: [null, 0, 0.00001, 0.0002, 0.005, 0.0412, 0.37, 1].map(percent),
  };
  assert.deepEqual(shown, {
    rates: ["–", "0", "0.04", "0.5", "12", "100", "1,842", "123 k", "2.5 M"],
    durations: ["–", "0 ms", "<0.1 ms", "3 ms", "3.1 ms", "42 ms", "1.0 s", "1.2 s", "59 s", "2 min 5 s"],
    ages: ["–", "0 s", "59 s", "1 min 1 s", "1 h", "2 h 1 min", "2 d 4 h"],
    sizes: ["–", "0 B", "999 B", "1.0 kB", "13 MB", "58 MB", "1.0 GB", "1.4 TB"],
    shares: ["–", "0 %", "<0.01 %", "0.02 %", "0.5 %", "4.1 %", "37 %", "100 %"],
  });
});

test("a time of another day has its date", () => {
  const noon = new Date(2026, 0, 5, 12, 0, 7).getTime();
  assert.equal(moment(noon, noon + 3_600_000), "12:00:07");
  assert.equal(moment(noon, noon + 86_400_000), "5 Jan 12:00");
});

test("each unit has a format, which knows that a value may be missing", () => {
  for (const format of Object.values(FORMATS)) assert.equal(format(null), "–");
  assert.deepEqual([plural(1, "worker"), plural(4, "worker")], ["1 worker", "4 workers"]);
});
