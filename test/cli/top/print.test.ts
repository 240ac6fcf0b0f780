/** `tsgun top` without a terminal: one frame, lines of JSON, and what is said when there is nothing to show. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { statsOf } from "../../../src/cli/stats-report.ts";
import { successorOf } from "../../../src/cli/top/feed.ts";
import type { AnsweringServer } from "../../../src/control/running-servers.ts";
import { COMMAND, startCommand, temporaryFolder, until } from "../../support/command.ts";
import { type FakeControl, fakeControl } from "../../support/fake-control.ts";
import { historySample, ofNow, RATES_SAMPLE, statsSample } from "../../support/stats-sample.ts";

interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Stage {
  readonly fake: FakeControl;
  readonly folder: string;
  top(...args: string[]): Promise<Told>;
}

async function stage(context: TestContext, answers: FakeControl["answers"]): Promise<Stage> {
  const folder = temporaryFolder(context);
  const fake = await fakeControl(context, join(folder, "c.ctl"), answers);
  return {
    fake,
    folder,
    async top(...args) {
      const env = { COLUMNS: "150", LC_ALL: "C.UTF-8" };
      const command = startCommand(context, ["top", "--control-socket", fake.path, ...args], {
        cwd: folder,
        env,
      });
      const { code } = await command.ended();
      return { code, out: command.stdout, err: command.stderr };
    },
  };
}

const STATS = ofNow(statsSample());

test("--once prints a frame, --json --once the report; the rest is said in one line", async (context) => {
  const { fake, top } = await stage(context, {
    "GET /status": STATS.server,
    "GET /stats": STATS,
    "GET /history": historySample(RATES_SAMPLE),
  });
  const [once, json, terminal, interval] = await Promise.all([
    top("--once"),
    top("--once", "--json"),
    top(),
    top("--interval", "5x"),
  ]);
  assert.equal(once.out, readFileSync(join(import.meta.dirname, "frames", "once-150.txt"), "utf8"));
  assert.equal(once.code, 0);
  assert.deepEqual(JSON.parse(json.out), STATS);
  assert.equal(json.out.trim().split("\n").length, 1);
  assert.equal(
    terminal.err,
    "tsgun: top needs a terminal, and this is none: use tsgun top --once, or --json\n",
  );
  assert.equal(terminal.code, 2);
  assert.match(interval.err, /^tsgun: .*"5x" is not a duration/);
  assert.equal(interval.code, 2);

  fake.answers["GET /stats"] = () => ({ status: 503, body: { error: "the metrics are off (--no-metrics)" } });
  const off = await top("--once");
  assert.deepEqual([off.code, off.err], [1, "tsgun: shop (pid 4711): the metrics are off (--no-metrics)\n"]);
});

test("a server without /stats, and one that is none", async (context) => {
  const { fake, top } = await stage(context, { "GET /status": { ...STATS.server, version: "0.0.9" } });
  const old = await top("--once");
  assert.equal(old.code, 1);
  assert.match(
    old.err,
    /^tsgun: shop \(pid 4711\): this server is tsgun 0\.0\.9, which has no figures .*: replace it with tsgun ctl upgrade\n$/,
  );
  delete fake.answers["GET /status"];
  const other = await top("--json");
  assert.equal(other.code, 1);
  assert.match(other.err, /is not the control socket of a tsgun server\n$/);
});

test("--json goes on through a restart of the server, names its silence once, and ends with its reader", async (context) => {
  const { fake, folder } = await stage(context, { "GET /status": STATS.server, "GET /stats": STATS });
  const args = ["top", "--json", "--interval", "100ms", "--control-socket", fake.path];
  const command = startCommand(context, args, { cwd: folder });
  const lines = (): number => command.stdout.split("\n").length - 1;
  await until("there are two reports", () => lines() >= 2);
  await fake.close();
  await command.line(/^tsgun: shop \(pid 4711\): no answer: no server listens at .*; looking for it$/);
  const before = lines();
  await fake.open();
  await until("there are reports again", () => lines() >= before + 2);
  assert.equal(command.lines(/no answer/).length, 1);
  for (const line of command.stdout.trim().split("\n")) assert.equal(JSON.parse(line).server.pid, 4711);
  assert.equal((await command.end()).signal, "SIGTERM");

  const { stdout: piped } = await promisify(execFile)(
    "bash",
    ["-c", `set -o pipefail; "$0" "$@" | head -n 1`, process.execPath, COMMAND, ...args],
    { encoding: "utf8" },
  );
  assert.equal(JSON.parse(piped).server.name, "shop");
});

test("a report of another version is completed, and something else is none", () => {
  const report = statsOf({
    server: { name: "shop", pid: 1, workers: { target: 2 }, state: 7 },
    workers: [{ pid: 2, slot: 0, loopUtilization: 0.5, extra: true }, "nonsense", null],
    rates: { requestsPerSecond: "many" },
    listeners: "none",
  });
  assert.equal(report?.server.name, "shop");
  assert.deepEqual(report?.server.workers, { target: 2, ready: 0 });
  assert.equal(report?.server.state, "serving");
  assert.equal(report?.workers.length, 1);
  assert.equal(report?.workers[0]?.loopUtilization, 0.5);
  assert.equal(report?.workers[0]?.rates.errorRatio, 0);
  assert.equal(report?.rates.requestsPerSecond, 0);
  assert.deepEqual(report?.listeners, []);
  for (const other of [undefined, null, 7, [], {}, { server: {} }, { server: {}, workers: {} }]) {
    assert.equal(statsOf(other), undefined);
  }
});

test("a server that was started in place of another is told from one that ran all the time", () => {
  const at = Date.parse(STATS.server.startedAt);
  const server = (pid: number, name: string, startedAt: number): AnsweringServer => ({
    pid,
    name,
    folder: "/srv/shop",
    controlSocket: `/${pid}.ctl`,
    status: { ...STATS.server, pid, name, startedAt: new Date(startedAt).toISOString() },
  });
  const lost = { pid: 1, name: "shop", folder: "/srv/shop" };
  const sibling = server(2, "shop", at);
  const since = at + 3_600_000;
  assert.equal(successorOf(lost, since, [sibling, server(3, "blog", since)]), undefined);
  assert.equal(successorOf(lost, since, [sibling, server(4, "shop", since + 3000)])?.pid, 4);
  assert.equal(successorOf(lost, since, [sibling, server(1, "shop", at)])?.pid, 1);
  assert.equal(successorOf({ ...lost, folder: "/srv/other" }, since, [server(4, "shop", since)]), undefined);
});
