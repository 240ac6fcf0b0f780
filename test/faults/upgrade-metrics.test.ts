/** An upgrade may switch the metrics on or off: nothing is lost meanwhile, and each server says what it counts. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import {
  FIXTURES,
  isAlive,
  RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { CountedClients } from "../support/counted-clients.ts";
import { readMetrics, sumOf } from "../support/metrics-text.ts";

const APP = join(FIXTURES, "fallback", "app.mjs");
const REQUESTS = "http_server_request_duration_seconds_count";

test("USR2 from --no-metrics to metrics and back, under load", async (context) => {
  const folder = temporaryFolder(context);
  const socket = join(folder, "c.ctl");
  const config = join(folder, "tsgun.config.json");
  const configure = (metrics: boolean): void =>
    writeFileSync(
      config,
      JSON.stringify({ app: APP, bind: ["127.0.0.1:0"], workers: 2, metrics, controlSocket: socket }),
    );
  configure(false);
  const command = startCommand(context, ["-c", config], { cwd: folder });
  await command.ready();
  const port = await command.port();
  const stats = async (): Promise<StatsReport> =>
    (await requestControl(socket, "GET", "/stats")).body as StatsReport;
  const metrics = async () => readMetrics((await ask({ path: socket }, "/metrics")).text).samples;

  const clients = new CountedClients({ host: "127.0.0.1", port }, ["/"], 4);
  const upgrade = async (isCounting: boolean): Promise<void> => {
    const old = command.arbiters().at(-1) as number;
    process.kill(old, "SIGUSR2");
    await until("the new arbiter serves alone", async () => {
      const { server, isCounting: counts } = await stats();
      return server.pid !== old && counts === isCounting && !isAlive(old);
    });
    const wanted = clients.answered + 100;
    await until("more requests are served", () => clients.answered > wanted);
  };
  try {
    assert.equal((await stats()).isCounting, false);
    assert.equal(sumOf(await metrics(), REQUESTS), 0);

    configure(true);
    await upgrade(true);
    // Counted from here on, by the workers of the new server alone: what the old one served, nobody counted.
    const first = await until(
      "requests are counted",
      async () => (await stats()).totals.requests || undefined,
    );
    assert.ok(first <= clients.answered);
    const { exits, starts } = (await stats()).totals;
    assert.equal(starts, 2, "the new server counts its own");
    assert.deepEqual(exits, {});

    configure(true);
    await upgrade(true);
    const continued = await stats();
    assert.ok(continued.totals.requests >= first, "an upgrade with metrics continues the counts");

    configure(false);
    await upgrade(false);
    assert.equal(sumOf(await metrics(), REQUESTS), 0);
    assert.match((await run(socket)).out, /requests +not counted/);
  } finally {
    await clients.stop();
  }
  assert.equal(clients.failed, 0, "every request got its response");
  assert.deepEqual([...clients.statuses.keys()], ["200"]);
  assert.doesNotMatch(command.stderr, /\[(ERROR|CRITICAL)\]/);
});

async function run(socket: string): Promise<{ readonly out: string }> {
  const command = new RunningCommand(["ctl", "stats", "--control-socket", socket], {});
  await command.ended();
  return { out: command.stdout };
}
