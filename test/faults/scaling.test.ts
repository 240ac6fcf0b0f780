/** TTIN, TTOU and WINCH under load: no client notices. */
import { test } from "node:test";
import { until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";

/** Responses to each load between two signals, so that every change happens under load. */
const BETWEEN = 12;

for (const workers of [1, 4]) {
  test(`TTIN and TTOU ten times, ${workers} workers, directly and behind nginx`, async (context) => {
    const stage = await FaultStage.start(context, { workers });
    await stage.loadWithNginx(context);
    for (let time = 0; time < 10; time++) {
      const before = stage.answering();
      stage.command.kill("SIGTTIN");
      await until("the new worker answers", () => [...stage.answering()].some((pid) => !before.has(pid)));
      stage.command.kill("SIGTTOU");
      await stage.settled();
      await stage.more(BETWEEN);
    }
    await stage.assertNothingLost(10 * BETWEEN);
    await stage.end();
  });

  test(`WINCH stops all ${workers} workers, HUP starts them; requests wait meanwhile, directly and behind nginx`, async (context) => {
    const stage = await FaultStage.start(context, { workers });
    await stage.loadWithNginx(context);
    for (let generation = 2; generation <= 4; generation++) {
      stage.command.kill("SIGWINCH");
      await stage.settled(0);
      stage.command.kill("SIGHUP");
      await stage.command.ready(generation);
      await stage.settled();
      await stage.more(BETWEEN);
    }
    await stage.assertNothingLost(3 * BETWEEN);
    await stage.end();
  });
}
