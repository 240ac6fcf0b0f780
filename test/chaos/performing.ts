/** How each fault of the plan is done to the server. What a fault breaks it mends again, or a reload later does. */
import { closeSync, openSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Faults } from "./faults.ts";
import type { Action, FaultName } from "./plan.ts";
import { breakConnections, vanish } from "./rude.ts";

const LEAK_BYTES = 420_000_000;

type Perform = (faults: Faults, action: Action) => Promise<unknown> | undefined;

const BROKEN_SOURCE = "export const app = {{\n";

export const PERFORM: Readonly<Record<FaultName, Perform>> = {
  "kill-worker": (faults, action) => void faults.kill(faults.worker(action), action.way as NodeJS.Signals),
  "kill-all-workers": (faults) => {
    faults.site.census.look();
    for (const { pid } of faults.site.census.having("worker")) faults.kill(pid, "SIGKILL");
    return undefined;
  },
  "terminate-worker": (faults, action) => void faults.kill(faults.worker(action), "SIGTERM"),
  "stop-worker": (faults, action) => faults.stop(faults.worker(action), action.amount),
  "stop-worker-for-good": (faults, action) => faults.stopForGood(faults.worker(action)),
  "block-worker": (faults, { amount }) => faults.request(`/block?${amount}`),
  "block-worker-for-good": (faults) => faults.request("/block?0"),
  "leak-memory": (faults) => faults.request(`/leak?${LEAK_BYTES}`),
  "fill-heap": (faults) => faults.request("/fill"),
  "use-up-descriptors": (faults, action) => faults.limit(faults.worker(action)),
  "throw-uncaught": (faults) => faults.request("/throw"),
  "crash-at-boot": (faults, action) =>
    faults.withFiles(
      () => faults.site.setBoot("crash"),
      () => {
        faults.kill(faults.worker(action), "SIGKILL");
        return pause(action.amount);
      },
      () => faults.site.setBoot(""),
    ),
  "slow-boot": (faults, action) =>
    faults.withFiles(
      () => faults.site.setBoot(`slow ${action.amount}`),
      () => {
        faults.kill(faults.worker(action), "SIGKILL");
        return pause(action.amount);
      },
      () => faults.site.setBoot(""),
    ),
  "restart-worker": (faults, action) =>
    faults.command("POST", `/workers/${faults.worker(action) ?? 1}/restart`),
  reload: (faults) => faults.signal("SIGHUP"),
  "reload-with-syntax-error": (faults) =>
    faults.badReload(
      () => faults.site.setApp(BROKEN_SOURCE),
      () => faults.site.setApp(),
    ),
  "reload-that-throws": (faults) =>
    faults.badReload(
      () => faults.site.setBoot("throw"),
      () => faults.site.setBoot(""),
    ),
  "reload-without-end": (faults) =>
    faults.badReload(
      () => faults.site.setBoot("never"),
      () => faults.site.setBoot(""),
    ),
  "reload-with-broken-configuration": (faults) =>
    faults.badReload(
      () => faults.site.setConfiguration('{ "workers": '),
      () => faults.site.setConfiguration(),
    ),
  "new-certificates": (faults) =>
    faults.withFiles(
      () => faults.site.certificates.renew(),
      () => faults.signal("SIGHUP"),
      () => {},
    ),
  "reload-with-wrong-key": (faults) =>
    faults.badReload(
      () => faults.site.certificates.spoil(),
      () => faults.site.certificates.mend(),
    ),
  "broken-connections": (faults, { amount }) => {
    faults.sent += amount;
    return breakConnections(faults.site.direct, amount);
  },
  "vanishing-clients": (faults, { amount, pick }) => {
    faults.sent += amount;
    return vanish(faults.site.direct, amount, faults.site.way.http2, `vanished-${pick}-${faults.sent}`);
  },
  upgrade: (faults) => faults.signal("SIGUSR2"),
  "upgrade-that-fails": (faults) =>
    faults.badUpgrade(
      () => faults.site.setConfiguration('{ "wokers": 3 }'),
      () => faults.site.setConfiguration(),
    ),
  "upgrade-twice": async (faults) => {
    await faults.signal("SIGUSR2");
    await pause(50);
    await faults.signal("SIGUSR2");
  },
  "upgrade-during-reload": async (faults) => {
    await faults.signal("SIGHUP");
    await pause(100);
    await faults.signal("SIGUSR2");
  },
  "kill-new-arbiter": async (faults) => {
    const old = await faults.signal("SIGUSR2");
    await pause(300);
    faults.site.census.look();
    const successor = faults.site.census.living.find(
      ({ parent, role }) => parent === old && role === "arbiter",
    );
    for (const { pid } of faults.site.census.living.filter(({ parent }) => parent === successor?.pid))
      faults.killed.set(pid, "its arbiter was killed");
    faults.kill(successor?.pid, "SIGKILL");
  },
  "one-more-worker": (faults) => faults.signal("SIGTTIN"),
  "one-worker-less": (faults) => faults.signal("SIGTTOU"),
  scale: (faults, { amount }) => faults.command("POST", "/scale", { workers: amount }),
  "rotate-log": (faults) =>
    faults.withFiles(
      () => {
        renameSync(faults.site.logFile, faults.site.nextLogFile());
        closeSync(openSync(faults.site.logFile, "a"));
      },
      () => faults.signal("SIGUSR1"),
      () => {},
    ),
  "full-disk": (faults, { amount }) =>
    faults.withFiles(
      () => {
        renameSync(faults.site.logFile, faults.site.nextLogFile());
        symlinkSync("/dev/full", faults.site.logFile);
      },
      async () => {
        await faults.signal("SIGUSR1");
        await pause(amount);
      },
      () => {
        rmSync(faults.site.logFile, { force: true });
        // The next fault may rename the file, so it has to be there again, also while nobody opens it.
        closeSync(openSync(faults.site.logFile, "a"));
        void faults.command("POST", "/reopen");
      },
    ),
  "control-commands": async (faults, action) => {
    const pid = faults.worker(action) ?? 1;
    const reads = ["status", "workers", "stats", "history", "requests", "deaths", "listeners", "config"];
    const more = [
      "events",
      "logs",
      "health/live",
      "health/ready",
      "health/startup",
      `workers/${pid}/stack?wait=0`,
    ];
    await Promise.all([
      ...[...reads, ...more, `workers/${pid}/heap`].map((name) => faults.command("GET", `/${name}`)),
      faults.command("POST", `/workers/${pid}/profile`, { seconds: 1 }),
      faults.command("POST", "/reopen"),
      faults.command("POST", "/scale", { workers: 3 }),
    ]);
  },
  "clock-forward": (faults, { amount }) => void faults.site.moveClock(amount),
  "clock-back": (faults, { amount }) => void faults.site.moveClock(-amount),
  "kill-arbiter": (faults) => killArbiter(faults),
};

/** Kills all arbiters, as the kernel does when memory runs out, and starts the server again, as systemd does. */
async function killArbiter(faults: Faults): Promise<void> {
  const { census, gaps } = faults.site;
  census.look();
  const arbiters = census.having("arbiter");
  const gap = { from: Date.now(), to: Number.POSITIVE_INFINITY };
  gaps.push(gap);
  faults.site.isKilled = true;
  for (const { pid } of census.living) faults.killed.set(pid, "its arbiter was killed");
  for (const { pid } of arbiters) faults.kill(pid, "SIGKILL");
  await pause(100);
  await faults.site.run();
  faults.site.isKilled = false;
  gap.to = Date.now();
}
