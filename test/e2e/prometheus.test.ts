/** A real Prometheus scrapes the admin listener, and answers queries about it. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { cleanUp, FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

test("a Prometheus server scrapes tsgun and answers from what it read", async (context) => {
  if (!hasComponent(context, "prometheus") || !hasComponent(context, "promtool", "prometheus")) return;
  const folder = temporaryFolder(context);
  const [port, adminPort, prometheusPort] = [await freePort(), await freePort(), await freePort()];
  const app = join(FIXTURES, "stats", "app.mjs");
  const command = startCommand(context, [
    ...[app, "-b", `127.0.0.1:${port}`, "-w", "2", "--control-socket", join(folder, "c.ctl")],
    ...["--admin-bind", `127.0.0.1:${adminPort}`],
  ]);
  await command.ready();
  for (let request = 0; request < 20; request++) await ask({ host: "127.0.0.1", port });

  const config = join(folder, "prometheus.yml");
  writeFileSync(
    config,
    [
      "global: { scrape_interval: 1s }",
      "scrape_configs:",
      `  - { job_name: tsgun, static_configs: [{ targets: ["127.0.0.1:${adminPort}"] }] }`,
      "",
    ].join("\n"),
  );
  const prometheus = spawn(
    "prometheus",
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  prometheus.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited = new Promise((resolve) => prometheus.once("close", resolve));
  cleanUp(context, async () => {
    prometheus.kill("SIGKILL");
    await exited;
  });

  const query = async (text: string): Promise<number | undefined> => {
    const path = `/api/v1/query?query=${encodeURIComponent(text)}`;
    const { status, text: body } = await ask({ host: "127.0.0.1", port: prometheusPort }, path);
    assert.equal(status, 200, body);
    const value = (JSON.parse(body) as QueryAnswer).data.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  };
  try {
    await until("it has scraped", async () => (await query("up")) === 1);
    await until(
      "it has read all requests",
      async () => (await query("sum(http_server_request_duration_seconds_count)")) === 20,
    );
    assert.equal(await query('tsgun_workers{state="ready"}'), 2);
    const quantile = "histogram_quantile(0.9, sum by (le) (http_server_request_duration_seconds_bucket))";
    assert.ok(((await query(quantile)) ?? 0) > 0);
    assert.equal(
      (await query("scrape_samples_scraped > 0 and scrape_samples_scraped < 2000 or vector(0)")) === 0,
      false,
    );
  } catch (error) {
    context.diagnostic(log);
    throw error;
  }

  const { text } = await ask({ host: "127.0.0.1", port: adminPort }, "/metrics");
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});
