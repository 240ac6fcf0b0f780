/** Looks at workers: those that are kept, and readings when somebody asks. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Backlogs } from "../../../src/arbiter/stats/backlogs.ts";
import { isHeapExhausted } from "../../../src/arbiter/stats/heap-exhaustion.ts";
import { History, type Moment } from "../../../src/arbiter/stats/history.ts";
import { deathSample, lookOf, type WorkerLook } from "../../../src/arbiter/stats/look.ts";
import { MemoryShares } from "../../../src/arbiter/stats/memory-shares.ts";
import { TurnTimes } from "../../../src/arbiter/stats/turn-times.ts";
import { workerFigures } from "../../../src/arbiter/stats/worker-figures.ts";
import { noCounts } from "../../../src/metrics/counts.ts";
import { VITALS } from "../../../src/scoreboard/layout.ts";
import type { Vitals } from "../../../src/scoreboard/page-reader.ts";
import { until } from "../../support/command.ts";

function vitalsOf(given: Partial<Vitals>): Vitals {
  return { ...(Object.fromEntries(VITALS.map((name) => [name, 0])) as Vitals), ...given };
}

function lookAt(seconds: number, given: Partial<WorkerLook> = {}): WorkerLook {
  return {
    at: seconds * 1000,
    time: seconds * 1000,
    isCounted: true,
    counts: noCounts(),
    vitals: undefined,
    isFresh: false,
    inFlight: 0,
    methods: [],
    oldest: undefined,
    cpu: undefined,
    rss: undefined,
    late: 0,
    ...given,
  };
}

describe("The figures of a worker", () => {
  const before = lookAt(0, {
    isFresh: true,
    cpu: 100,
    vitals: vitalsOf({ loopActive: 1000, loopIdle: 9000, gcMinor: 10 }),
  });
  const after = lookAt(5, {
    isFresh: true,
    cpu: 2600,
    vitals: vitalsOf({ loopActive: 3000, loopIdle: 11_000, gcMinor: 90, gcMajor: 20, loopDelayP99: 12 }),
  });

  test("are taken between two looks", () => {
    assert.deepEqual(workerFigures(after, before, undefined), {
      loopUtilization: 0.5,
      loopDelayP99: 12,
      cpu: 0.5,
      gcShare: 0.025,
    });
  });

  test("are those of an idle loop while it writes no vitals", () => {
    const resting = { ...after, isFresh: false };
    assert.deepEqual(workerFigures(resting, before, undefined), {
      loopUtilization: 0,
      loopDelayP99: 0,
      cpu: 0.5,
      gcShare: 0,
    });
  });

  test("are those of a busy loop while it is stuck, as late as it has been", () => {
    const figures = workerFigures({ ...after, isFresh: false }, before, 7000);
    assert.deepEqual([figures.loopUtilization, figures.loopDelayP99], [1, 7000]);
  });

  test("are unknown before it has measured itself", () => {
    const { loopUtilization, cpu } = workerFigures(lookAt(1), undefined, undefined);
    assert.deepEqual([loopUtilization, cpu], [null, null]);
  });

  test("become a sample for the record of its end", () => {
    const counts = { ...noCounts(), requests: 10 };
    const sample = deathSample({ ...after, counts, rss: 5, inFlight: 2 }, before);
    assert.deepEqual([sample.requestsPerSecond, sample.cpu, sample.rss, sample.inFlight], [2, 0.5, 5, 2]);
    assert.equal(sample.time, 5000);
  });

  test("become a sample whose loop is as late as its heartbeat while it is blocked, and not late while it rests", () => {
    const measured = vitalsOf({ loopDelayMax: 7 });
    const delay = (given: Partial<WorkerLook>): number | null =>
      deathSample(lookAt(5, { vitals: measured, ...given }), before).loopDelay;
    assert.equal(delay({ isFresh: true }), 7);
    assert.equal(delay({ isFresh: true, late: 600 }), 600);
    assert.equal(delay({ late: 4000 }), 4000);
    assert.equal(delay({}), 0);
    assert.equal(delay({ vitals: undefined }), null);
  });

  test("keep the memory of before while its process ends, which then has none", () => {
    const ending = lookOf(undefined, 5800, 5800, { cpu: 5, rss: 0 }, lookAt(5, { rss: 7 }));
    assert.equal(ending.rss, 7);
  });

  test("of its last moment is later by the time since the look before", () => {
    const last = (late: number): WorkerLook => lookOf(undefined, 5800, 5800, undefined, lookAt(5, { late }));
    assert.deepEqual([last(3000).late, last(0).late], [3800, 0]);
  });
});

describe("The history", () => {
  function moment(seconds: number, requests: number): Moment {
    const total = noCounts();
    total.requests = requests;
    total.byClass["2xx"] = requests;
    total.exits.crash = requests / 10;
    return {
      at: seconds * 1000,
      time: seconds * 1000,
      total,
      inFlight: seconds,
      connections: 0,
      backlog: null,
      slots: [
        { slot: 1, loopUtilization: 0.5, loopDelayP99: 1, cpu: null, gcShare: 0, pssBytes: null },
        ...(seconds > 2
          ? [{ slot: 2, loopUtilization: 1, loopDelayP99: 2, cpu: 0, gcShare: 0, pssBytes: 7 }]
          : []),
      ],
    };
  }

  test("has rates between its points, and nulls where a slot was not there", () => {
    const history = new History();
    for (const each of [moment(0, 0), moment(2, 20), moment(4, 60)]) history.add(each);
    const report = history.report();
    assert.deepEqual(report.time, [2000, 4000]);
    assert.deepEqual(report.byClass["2xx"], [10, 20]);
    assert.deepEqual(report.exits.crash, [2, 4]);
    assert.deepEqual(report.inFlight, [2, 4]);
    assert.deepEqual(report.slots[1]?.loopUtilization, [null, 1]);
    assert.deepEqual(history.report(2000).time, [4000]);
  });

  test("is bounded to ten minutes", () => {
    const history = new History();
    for (let each = 0; each < 400; each++) history.add(moment(2 * each, each));
    assert.equal(history.report().time.length, 300);
    assert.equal(history.report().time.at(-1), 798_000);
  });
});

describe("What is read when somebody asks", () => {
  test("proportional memory is read once for several askers, and one that hangs delays nobody", async () => {
    let reads = 0;
    const shares = new MemoryShares((pid) => {
      reads += 1;
      return pid === 2 ? new Promise(() => {}) : Promise.resolve(1000);
    });
    const begunAt = performance.now();
    await Promise.all([shares.refresh([1, 2]), shares.refresh([1, 2])]);
    assert.ok(performance.now() - begunAt < 1000);
    assert.equal(reads, 2);
    assert.deepEqual([shares.of(1), shares.of(2), shares.of(3)], [1000, null, null]);
    await shares.refresh([1, 2]);
    assert.equal(reads, 2, "the reading that hangs is not begun again");
  });

  test("queues are read while the server works, and at rest not again", async () => {
    let reads = 0;
    const listener = { descriptor: 5, url: "http://127.0.0.1:80" };
    const backlogs = new Backlogs(
      () => [listener],
      async () => {
        reads += 1;
        return [reads === 1 ? 0 : 3];
      },
    );
    assert.equal(backlogs.sample(false), null);
    await backlogs.refresh();
    assert.deepEqual([backlogs.of(listener), backlogs.sample(false), reads], [0, 0, 1]);
    await until("it may read again", () => {
      backlogs.sample(true);
      return reads === 2;
    });
    assert.deepEqual([backlogs.sample(false), backlogs.of(listener), reads], [3, 3, 2]);
  });

  test("queues that cannot be read are unknown", async () => {
    const listener = { descriptor: 5, url: "unix:/x" };
    const backlogs = new Backlogs(
      () => [listener],
      () => Promise.reject(new Error("no table")),
    );
    await backlogs.refresh();
    assert.deepEqual([backlogs.of(listener), backlogs.sample(true)], [null, null]);
  });

  test("turns of the loop are known by their times of the last seconds", () => {
    const turns = new TurnTimes();
    assert.equal(turns.percentile(0.99, 0), null);
    turns.add(500, 0);
    for (let each = 0; each < 100; each++) turns.add(each, 6000);
    assert.equal(turns.percentile(0.5, 7000), 50);
    assert.equal(turns.percentile(0.99, 7000), 99);
  });
});

describe("A full heap", () => {
  const aborted = { code: null, signal: "SIGABRT" } as const;
  const full = { vitals: vitalsOf({ heapLimit: 100, heapUsed: 90 }), note: undefined };
  const half = { vitals: vitalsOf({ heapLimit: 100, heapUsed: 50 }), note: undefined };

  test("ends a process by SIGABRT with a heap near its limit", () => {
    assert.equal(isHeapExhausted(aborted, full, []), true);
    assert.equal(isHeapExhausted({ code: 134, signal: null }, full, []), true);
    assert.equal(isHeapExhausted(aborted, half, []), false, "an abort of its own");
    assert.equal(isHeapExhausted({ code: 1, signal: null }, full, []), false);
    assert.equal(isHeapExhausted(aborted, undefined, []), false);
  });

  test("is seen in /proc if the worker was blocked and could not measure it", () => {
    assert.equal(isHeapExhausted(aborted, half, [{ rss: 95 }]), true);
  });
});
