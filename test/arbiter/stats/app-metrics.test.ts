/** The metrics that an app keeps with prom-client, over all workers. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../../src/control/stats.ts";
import { ask } from "../../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { freePort } from "../../support/free-port.ts";
import { readMetrics, type Samples, sumOf } from "../../support/metrics-text.ts";

test("an app's own counters are summed over workers, and do not fall when one ends or blocks", async (context) => {
  const socket = { path: join(temporaryFolder(context), "c.ctl") };
  const port = await freePort();
  const server = { host: "127.0.0.1", port };
  const command = startCommand(context, [
    ...[join(FIXTURES, "stats", "prom-client.mjs"), "-b", `127.0.0.1:${port}`, "-w", "2"],
    ...["--app-metrics", "--control-socket", socket.path],
  ]);
  await command.ready();
  for (let each = 0; each < 12; each++) await ask(server, "/");
  let text = "";
  const orders = async (): Promise<Samples> => {
    ({ text } = await ask(socket, "/metrics"));
    return readMetrics(text).samples;
  };
  const stats = async (): Promise<StatsReport> =>
    JSON.parse((await ask(socket, "/stats")).text) as StatsReport;
  const samples = await until("a worker has measured itself", async () => {
    const found = await orders();
    return sumOf(found, "process_cpu_seconds_total") > 0 && found;
  });
  assert.equal(samples.get('shop_orders_total{kind="a"}'), 12);
  assert.equal(samples.get('shop_price_bucket{le="10"}'), 12);
  assert.equal(samples.get("shop_price_sum"), 60);
  assert.deepEqual([samples.get('shop_open{slot="1"}'), samples.get('shop_open{slot="2"}')], [1, 1]);
  assert.equal(text.match(/^# TYPE process_cpu_seconds_total /gm)?.length, 1, "no family comes twice");
  if (hasComponent(context, "promtool", "prometheus")) {
    const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    // It finds fault with names of prom-client's default metrics, which are not ours to change.
    assert.notEqual(checked.status, 1, checked.stdout + checked.stderr);
  }

  const [{ pid } = { pid: 0 }] = (await stats()).workers;
  process.kill(pid, "SIGKILL");
  await until("another worker is ready", async () => {
    const { workers, totals } = await stats();
    return (
      totals.exits.killed === 1 && workers.every(({ state }) => state === "ready") && workers.length === 2
    );
  });
  assert.equal(sumOf(await orders(), "shop_orders_total"), 12);

  request({ ...server, path: "/spin" })
    .on("error", () => {})
    .end();
  await until("a worker is blocked", async () =>
    (await stats()).workers.some(({ inFlight }) => inFlight > 0),
  );
  const begunAt = performance.now();
  assert.equal(sumOf(await orders(), "shop_orders_total"), 12);
  assert.ok(performance.now() - begunAt < 2000);
});
