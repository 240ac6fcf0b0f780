/** HUP under load: no client notices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";

/** Responses to each load between two signals, so that every reload happens under load. */
const BETWEEN = 12;

const SERVERS = [
  { workers: 1, app: "mirror.mjs", surge: 1, times: 10, nginx: true },
  { workers: 4, app: "mirror.mjs", surge: 1, times: 10, nginx: true },
  { workers: 4, app: "mirror.mjs", surge: 4, times: 5, nginx: false },
  { workers: 2, app: "mirror-listener.cjs", surge: 1, times: 5, nginx: false },
  { workers: 2, app: "mirror-server.cjs", surge: 1, times: 5, nginx: true },
] as const;

for (const { workers, app, surge, times, nginx } of SERVERS) {
  test(`HUP ${times} times, ${workers} workers of ${app}${nginx ? ", behind nginx too" : ""}, surge ${surge}`, async (context) => {
    const stage = await FaultStage.start(context, { workers, app, args: ["--reload-surge", `${surge}`] });
    await (nginx ? stage.loadWithNginx(context) : stage.load());
    const tooMany: number[] = [];
    for (let generation = 2; generation <= times + 1; generation++) {
      const before = await stage.settled();
      stage.command.kill("SIGHUP");
      await until("the old workers are replaced", () => {
        const now = stage.command.workers();
        const { length } = now;
        if (length > workers + surge) tooMany.push(length);
        return length === workers && !now.some((pid) => before.includes(pid));
      });
      await stage.command.ready(generation);
      await stage.more(BETWEEN);
    }
    assert.deepEqual(tooMany, [], `more than ${workers} and ${surge} workers were there`);
    await stage.assertNothingLost(times * BETWEEN);
    await stage.end();
  });
}

test("twenty HUPs at once leave one generation and exactly as many workers", async (context) => {
  const stage = await FaultStage.start(context, { workers: 4 });
  await stage.load();
  const before = await stage.settled();
  for (let time = 0; time < 20; time++) stage.command.kill("SIGHUP");
  await stage.command.line(/Ready: generation/, 2);
  await until("all is quiet", () => {
    const begun = stage.command.lines(/Reloading: generation/).at(-1);
    const generation = begun?.slice(begun.lastIndexOf(" ") + 1);
    const ready = stage.command.lines(new RegExp(`Ready: generation ${generation} `)).length === 1;
    const workers = stage.command.workers();
    return ready && workers.length === 4 && !workers.some((pid) => before.includes(pid));
  });
  await stage.more(BETWEEN);
  await stage.assertNothingLost(BETWEEN);
  await stage.end();
});
