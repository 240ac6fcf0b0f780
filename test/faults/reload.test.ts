/** HUP, TTIN and TTOU, WINCH under load: whoever asks meanwhile never notices. */
import { test } from "node:test";
import { until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { FaultStage } from "../support/fault-stage.ts";

/** What each load is to get between two signals, so that every change happens under way. */
const BETWEEN = 12;

const SERVERS = [
  { workers: 1, app: "mirror.mjs", surge: 1, times: 10 },
  { workers: 4, app: "mirror.mjs", surge: 1, times: 10 },
  { workers: 4, app: "mirror.mjs", surge: 4, times: 5 },
  { workers: 2, app: "mirror-listener.cjs", surge: 1, times: 5 },
] as const;

for (const { workers, app, surge, times } of SERVERS) {
  test(`HUP ${times} times, ${workers} workers of ${app}, surge ${surge}`, async (context) => {
    const stage = await FaultStage.start(context, { workers, app, args: ["--reload-surge", `${surge}`] });
    await stage.load();
    for (let generation = 2; generation <= times + 1; generation++) {
      const before = await stage.settled();
      stage.command.kill("SIGHUP");
      await stage.command.ready(generation);
      await stage.more(BETWEEN);
      await until(
        "the old workers are gone",
        () => !stage.command.workers().some((pid) => before.includes(pid)),
      );
    }
    await stage.assertNothingLost(times * BETWEEN);
    await stage.end();
  });
}

test("HUP five times behind nginx", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const stage = await FaultStage.start(context, { workers: 4 });
  await stage.loadBehindNginx(context);
  for (let generation = 2; generation <= 6; generation++) {
    stage.command.kill("SIGHUP");
    await stage.command.ready(generation);
    await stage.more(BETWEEN);
  }
  await stage.assertNothingLost(5 * BETWEEN);
  await stage.end();
});

for (const workers of [1, 4]) {
  test(`TTIN and TTOU ten times, ${workers} workers`, async (context) => {
    const stage = await FaultStage.start(context, { workers });
    await stage.load();
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
}

const SENT_HOME = [
  { workers: 1, nginx: false },
  { workers: 4, nginx: false },
  { workers: 2, nginx: true },
];

for (const { workers, nginx } of SENT_HOME) {
  const where = nginx ? "behind nginx " : "";
  test(`WINCH sends all of ${workers} workers ${where}home, HUP brings them back; who asks meanwhile waits`, async (context) => {
    if (nginx && !hasComponent(context, "nginx")) return;
    const stage = await FaultStage.start(context, { workers });
    await (nginx ? stage.loadBehindNginx(context) : stage.load());
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
