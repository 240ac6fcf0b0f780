import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLog, MAX_EVENTS } from "../../../src/arbiter/logs/event-log.ts";
import { ServerEvents } from "../../../src/arbiter/logs/server-events.ts";
import type { EventReport } from "../../../src/control/stats.ts";

const worker = { pid: 12, record: { slot: 1, generation: 3 } };

test("the last events are kept, and their numbers go on", () => {
  const log = new EventLog();
  const seen: number[] = [];
  const stop = log.follow(({ number }) => seen.push(number));
  for (let count = 1; count <= MAX_EVENTS + 5; count++) {
    if (count === 3) stop();
    log.add({ type: "scale", message: "x".repeat(5000), isProblem: false });
  }
  assert.deepEqual(seen, [1, 2]);
  const kept = log.since();
  assert.equal(kept.length, MAX_EVENTS);
  assert.equal(kept[0]?.number, 6);
  assert.equal(kept[0]?.message.length, 1000);
  assert.deepEqual(
    log.since(MAX_EVENTS + 3).map(({ number }) => number),
    [MAX_EVENTS + 4, MAX_EVENTS + 5],
  );
  assert.deepEqual(log.since(10_000), []);
});

test("a reload takes from its request to its end, and the first boot is none", () => {
  let now = 0;
  const events = new ServerEvents(() => now);
  events.established(1, "Ready: generation 1");
  events.reloadRequested();
  now = 200;
  events.reloadRequested();
  events.reloading(2, "Reloading: generation 2");
  now = 500;
  events.established(2, "Ready: generation 2");
  events.reloadRequested();
  now = 540;
  events.reloadFailed(2, "Reload failed");
  assert.deepEqual(
    events.log
      .since()
      .map(({ type, duration, generation, isProblem }) => [type, duration, generation, isProblem]),
    [
      ["reload", undefined, 2, false],
      ["reloaded", 500, 2, false],
      ["reload-failed", 40, 2, true],
    ],
  );
});

test("each change of the target is one event, the drain for a successor and the stop are none", () => {
  const events = new ServerEvents();
  const types = (): EventReport["type"][] => events.log.since().map(({ type }) => type);
  events.settled(2, false, false);
  events.settled(2, false, false);
  assert.deepEqual(types(), []);
  events.settled(3, false, false);
  assert.match(events.log.since()[0]?.message ?? "", /^The target is 3 workers, not 2$/);
  events.settled(0, false, true);
  events.settled(0, true, true);
  events.settled(0, true, true);
  assert.deepEqual(types(), ["scale", "stopping"]);
});

test("events of workers name the worker, and whether somebody should look", () => {
  const events = new ServerEvents();
  events.workerReady(worker, 123.4);
  events.workerStuck(12, "Worker 12: blocked");
  events.workerRecovered(12, "Worker 12: runs again");
  events.workerExited(worker, "exited with code 7", true, "crash");
  events.workerExited({ ...worker, pid: undefined }, "exited", false, undefined);
  const [ready, stuck, recovered, crashed, ended] = events.log.since();
  assert.equal(ready?.duration, 123);
  assert.deepEqual([ready?.pid, ready?.slot, ready?.generation], [12, 1, 3]);
  assert.deepEqual([stuck?.type, stuck?.isProblem], ["worker-stuck", true]);
  assert.deepEqual([recovered?.type, recovered?.isProblem], ["worker-recovered", false]);
  assert.deepEqual([crashed?.reason, crashed?.isProblem], ["crash", true]);
  assert.ok(ended !== undefined && !("pid" in ended) && !("reason" in ended));
});
