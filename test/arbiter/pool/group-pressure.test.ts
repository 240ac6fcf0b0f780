/** Which worker is named, and which replaced, when the control group is nearly full. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { GroupPressure } from "../../../src/arbiter/pool/group-pressure.ts";
import type { Pool } from "../../../src/arbiter/pool/pool.ts";
import type { WorkerRecord } from "../../../src/arbiter/pool/roster.ts";
import { makeConfig } from "../../../src/config/config.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";
import type { GroupUse } from "../../../src/system/group-memory.ts";

const MB = 2 ** 20;
const FULL: GroupUse = { folder: "/sys/fs/cgroup/app", used: 470 * MB, limit: 512 * MB, atLimit: "kills" };

/** Two workers, the second of which is the larger one; `after` lets time pass, and looks. */
function stage(context: TestContext, maxMemory: string) {
  const state = { now: 0, use: FULL as GroupUse | undefined, isLimited: true };
  const worker = (id: number): WorkerRecord =>
    ({ id, slot: id, generation: 1, state: "ready" }) as unknown as WorkerRecord;
  const roster = [worker(1), worker(2)];
  const pool = {
    get now() {
      return state.now;
    },
    roster,
  } as unknown as Pool;
  const lines: string[] = [];
  const replaced: number[] = [];
  const log = new ErrorLog({ level: "critical" });
  context.mock.method(log, "warning", (line: string) => lines.push(line));
  const pressure = new GroupPressure({
    pool,
    log,
    pidOf: (id) => 100 + id,
    configOf: () => makeConfig([{ values: { maxMemory }, origin: () => "a test" }]),
    residentOf: (pid) => (pid === 102 ? 300 : 100) * MB,
    makeGroup: () => ({
      get isLimited() {
        return state.isLimited;
      },
      findLimits: () => {},
      fullerThan: () => state.use,
    }),
  });
  const after = (milliseconds: number): void => {
    state.now += milliseconds;
    pressure.review(({ id }, _sizes, logLine) => {
      replaced.push(id);
      logLine();
    });
  };
  return { state, roster, lines, replaced, after };
}

const NAMED =
  "The control group /sys/fs/cgroup/app uses 470.0MB of 512.0MB, where the kernel kills a process; the largest worker (pid: 102, slot 2) has 300.0MB: ";

describe("a control group that is nearly full", () => {
  test("is logged once a minute, and no worker is replaced", (context) => {
    const { lines, replaced, after } = stage(context, "0");
    after(2000);
    assert.deepEqual(lines, [], "a peak is no reason");
    for (let time = 0; time < 58_000; time += 1000) after(1000);
    assert.deepEqual(lines, [
      `${NAMED}allow more, run fewer workers, or have such a worker replaced (--max-memory auto)`,
    ]);
    after(4000);
    assert.deepEqual([lines.length, replaced], [2, []]);
  });

  test("with auto: the largest is replaced, one a minute, once all others serve", (context) => {
    const { roster, lines, replaced, after } = stage(context, "auto");
    after(2000);
    const [one] = roster;
    Object.assign(one as object, { state: "booting" });
    after(2000);
    assert.deepEqual(replaced, []);
    Object.assign(one as object, { state: "ready" });
    after(2000);
    assert.deepEqual([lines, replaced], [[`${NAMED}replacing it`], [2]]);
    after(59_000);
    assert.deepEqual(replaced, [2]);
    after(2000);
    assert.deepEqual(replaced, [2, 2]);
  });

  test("a peak between two looks is none", (context) => {
    const { state, lines, after } = stage(context, "auto");
    after(2000);
    state.use = undefined;
    after(2000);
    state.use = FULL;
    after(2000);
    assert.deepEqual(lines, []);
  });

  test("auto without any limit is told once, and a limit that comes later counts", (context) => {
    const { state, lines, replaced, after } = stage(context, "auto");
    state.isLimited = false;
    after(2000);
    after(60_000);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^max-memory auto has no effect: no control group limits the memory/);
    state.isLimited = true;
    after(60_000);
    after(2000);
    assert.deepEqual(replaced, [2]);
  });
});
