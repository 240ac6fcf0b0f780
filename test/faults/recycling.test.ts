/** Recycling after --max-requests under load: no client notices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultStage } from "../support/fault-stage.ts";

/** How many processes must have responded before the check that no request was lost. */
const PROCESSES = 12;

for (const { workers, app, nginx } of [
  { workers: 1, app: "mirror.mjs", nginx: true },
  { workers: 4, app: "mirror.mjs", nginx: true },
  { workers: 2, app: "mirror-listener.cjs", nginx: false },
] as const) {
  test(`--max-requests, ${workers} workers of ${app}${nginx ? ", behind nginx too" : ""}`, async (context) => {
    const args = ["--max-requests", "60", "--max-requests-jitter", "20", "--linger", "600ms"];
    const stage = await FaultStage.start(context, { workers, app, args });
    await (nginx ? stage.loadWithNginx(context) : stage.load());
    while (stage.answering().size < PROCESSES) {
      const { length } = stage.command.workers();
      assert.ok(length <= workers + 1, `${length} workers are there`);
      await stage.more(4);
    }
    await stage.assertNothingLost(PROCESSES * 4);
    await stage.end();
  });
}
