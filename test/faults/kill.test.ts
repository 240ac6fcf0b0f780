/** SIGKILL under load: a killed worker loses only its requests in flight; a killed arbiter leaves no process behind. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { isAlive, startCommand, until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";
import type { Failure } from "../support/load.ts";

interface Kill {
  readonly pid: number;
  /** When it was killed, and when its successor answered; in milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** Whether a request failed as it does when its worker dies: by a broken connection, or by nginx's 502. */
function isLoss({ kind, text }: Failure, nginx: boolean): boolean {
  if (kind === "wrong") return nginx && text.includes("status 502 (nginx");
  return kind === "truncated" || (kind === "reset" && !nginx);
}

interface Losses {
  readonly failures: readonly Failure[];
  readonly kills: readonly Kill[];
  readonly clients: number;
  readonly nginx: boolean;
}

/** Fails if a failed request was not in flight in a worker that had just been killed. */
function checkLosses(name: string, { failures, kills, clients, nginx }: Losses): void {
  for (const failure of failures) {
    assert.ok(isLoss(failure, nginx), `${name}: ${failure.kind}: ${failure.text}`);
    const kill = kills.find(({ from, to }) => failure.at >= from && failure.at <= to);
    assert.ok(kill !== undefined, `${name}: no worker was just killed: ${failure.text}`);
    // A used connection belongs to the worker that responded on it; one to nginx belongs to no worker.
    const worker = nginx ? undefined : failure.worker;
    assert.ok(
      worker === undefined || worker === kill.pid,
      `${name}: not of worker ${kill.pid}: ${failure.text}`,
    );
    const together = failures.filter(({ at }) => at >= kill.from && at <= kill.to);
    assert.ok(together.length <= clients, `${name}: ${together.length} of ${clients} clients lost a request`);
  }
}

const SERVERS = [
  { workers: 1, app: "mirror.mjs", times: 6, nginx: false },
  { workers: 4, app: "mirror.mjs", times: 20, nginx: true },
  { workers: 4, app: "mirror-listener.cjs", times: 6, nginx: false },
] as const;

/** Responses to each load after which, at its rate, a worker has served long enough not to count as a boot crash. */
const A_WHILE = 70;

for (const { workers, app, times, nginx } of SERVERS) {
  const where = nginx ? ", behind nginx too" : "";
  test(`a worker is killed ${times} times, ${workers} workers of ${app}${where}`, async (context) => {
    const stage = await FaultStage.start(context, { workers, app });
    await (nginx ? stage.loadWithNginx(context) : stage.load());
    const kills: Kill[] = [];
    for (let time = 0; time < times; time++) {
      // Kill the worker that has served longest, long enough that its death delays no replacement.
      await stage.more(A_WHILE / workers);
      const pids = await stage.settled();
      const [pid = 0] = pids;
      const from = Date.now();
      process.kill(pid, "SIGKILL");
      await stage.command.line(new RegExp(`Worker \\(pid: ${pid}\\) was killed by SIGKILL`));
      await until("another worker answers in its place", () => {
        return stage.command.workers().some((other) => !pids.includes(other) && stage.answering().has(other));
      });
      kills.push({ pid, from, to: Date.now() });
    }
    // No line says that a replacement is delayed.
    assert.equal(stage.command.lines(/ERROR|WARNING/).length, times, stage.command.stderr);
    await Promise.all([...stage.loads.values()].map((load) => load.stop()));
    for (const [name, load] of stage.loads) {
      checkLosses(name, { failures: load.failures, kills, clients: 4, nginx: name.startsWith("nginx") });
      assert.ok(load.counts.answered >= (times * A_WHILE) / workers, `${name}: ${load.report()}`);
    }
    assert.doesNotMatch(stage.proxyErrors, /connect\(\)/, "nginx was refused");
    await stage.end();
  });
}

async function arbiterKilled(context: TestContext, workers: number): Promise<void> {
  const args = ["--admin-bind", "unix:health.sock", "--control-socket", "app.ctl", "--pid", "app.pid"];
  const stage = await FaultStage.start(context, { workers, args });
  await stage.load();
  const pids = [stage.command.pid, ...(await stage.settled())];
  stage.command.kill("SIGKILL");
  await until("no process is left", () => !pids.some(isAlive), 2000);
  await stage.command.ended();
  for (const load of stage.loads.values()) {
    await load.stop();
    assert.equal(load.counts.wrong, 0, load.report());
  }
  const binds = ["--bind", `127.0.0.1:${stage.port}`, "--bind", `unix:${stage.path}`];
  const next = startCommand(context, [stage.app, ...binds, ...args], { cwd: stage.folder });
  await next.ready();
  assert.equal((await ask({ path: join(stage.folder, "health.sock") }, "/health/ready")).status, 200);
  stage.loads.clear();
  await stage.load();
  await stage.assertNothingLost(5);
}

for (const workers of [1, 4]) {
  test(`the arbiter is killed: ${workers} workers end within 2 s, and the addresses can be bound again`, (context) =>
    arbiterKilled(context, workers));
}
