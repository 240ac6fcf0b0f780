/**
 * A real Prometheus with the files of `tsgun init grafana`, against the running server: it scrapes it, loads the rules, and
 * has an answer to every expression of the dashboard.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { METRICS } from "../../src/deploy/init/promql.ts";
import { ask } from "../support/ask.ts";
import { cleanUp, startCommand, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { initialise, projectOf } from "../support/init.ts";

const APP = `
export const handler = async (request, respond) => {
  if (request.path === "/throw") throw new Error("on purpose");
  const until = performance.now() + 2;
  while (performance.now() < until);
  respond(200, {}, "ok");
};
`;

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly target: { readonly expr: string } }[] };
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function prometheus(test: TestContext, folder: string): Promise<(path: string) => Promise<unknown>> {
  const port = await freePort();
  const child = spawn(
    "prometheus",
    [
      "--config.file=prometheus.yml",
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
    ],
    { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  cleanUp(test, async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const api = async (path: string): Promise<unknown> => {
    assert.equal(child.exitCode, null, said);
    const { status, text } = await ask({ host: "127.0.0.1", port }, `/api/v1/${path}`);
    const { data, error } = JSON.parse(text) as { data: unknown; error?: string };
    assert.equal(status, 200, `${decodeURIComponent(path)}: ${error}`);
    return data;
  };
  await until("Prometheus is ready", async () => (await api("status/buildinfo")) !== undefined);
  return api;
}

/** The values that Grafana puts in place of its variables. */
function filled(expr: string): string {
  return expr.replaceAll("$job", "shop").replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m");
}

test("Prometheus scrapes the server, loads the rules, and answers all that the dashboard asks", async (context) => {
  if (!hasComponent(context, "prometheus")) return;
  const admin = await freePort();
  const port = await freePort();
  const config = {
    app: "app.mjs:handler",
    bind: `127.0.0.1:${port}`,
    adminBind: `127.0.0.1:${admin}`,
    workers: 2,
    controlSocket: false,
  };
  const folder = projectOf(context, {
    "package.json": '{ "name": "shop", "type": "module" }',
    "app.mjs": APP,
    "tsgun.config.json": JSON.stringify(config),
  });
  const { status, stderr } = initialise(folder, "grafana");
  assert.equal(status, 0, stderr);
  const dashboard = JSON.parse(readFileSync(join(folder, "deploy/grafana/shop.json"), "utf8")) as Dashboard;
  const file = join(folder, "deploy/prometheus/prometheus.yml");
  const written = readFileSync(file, "utf8");
  const fast = written.replace("scrape_interval: 10s", "scrape_interval: 1s");
  writeFileSync(file, `global: { evaluation_interval: 1s }\n${fast}`);

  const command = startCommand(context, [], { cwd: folder });
  await command.ready();
  const target = { host: "127.0.0.1", port };
  const api = await prometheus(context, join(folder, "deploy/prometheus"));
  const query = async (expr: string): Promise<readonly Result[]> =>
    ((await api(`query?query=${encodeURIComponent(expr)}`)) as { result: readonly Result[] }).result;
  const waited = async (path: string): Promise<void> => {
    const headers = { "x-request-start": `t=${(Date.now() / 1000 - 0.02).toFixed(3)}` };
    await new Promise<void>((resolve, reject) => {
      request({ ...target, path, headers }, (answer) => answer.resume().once("end", resolve))
        .once("error", reject)
        .end();
    });
  };
  await until("Prometheus has scraped", async () => (await query(METRICS.info.name)).length > 0);
  for (let number = 0; number < 20; number++) await waited(number % 10 === 0 ? "/throw" : "/");
  command.kill("SIGHUP");
  await command.ready(2);

  const { groups } = (await api("rules")) as { groups: readonly { rules: readonly { name: string }[] }[] };
  const rulesFile = readdirSync(join(folder, "deploy/prometheus")).find((name) =>
    /rules/.test(name),
  ) as string;
  const rulesText = readFileSync(join(folder, "deploy/prometheus", rulesFile), "utf8");
  const names = [...rulesText.matchAll(/^ *- alert: (\S+)$/gm)].map(([, name]) => name);
  assert.ok(names.length > 5);
  assert.deepEqual(
    groups.flatMap(({ rules }) => rules).map(({ name }) => name),
    names,
  );
  const counted = `sum(${METRICS.requestDuration.name}_count{job="shop"})`;
  let sent = 20;
  await until("Prometheus has seen requests, twice", async () => {
    await waited("/");
    await waited("/throw");
    sent += 2;
    return (
      Number((await query(counted))[0]?.value[1]) > 30 &&
      (await query(`rate(${METRICS.requestDuration.name}_count{http_response_status_code="500"}[1m]) > 0`))
        .length > 0
    );
  });
  await until(
    "it has counted what was sent",
    async () => Number((await query(counted))[0]?.value[1]) === sent,
  );

  // Nothing was refused, cut or dropped, nothing waits, and this machine may have no limit.
  const quiet = [
    METRICS.rejected.name,
    METRICS.memoryLimit.name,
    METRICS.requestsWaiting.name,
    "error_type!=",
    METRICS.upgrades.name,
    'reason=~"crash',
  ];
  const expressions = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ target: { expr } }) => expr),
  ];
  assert.ok(expressions.length > 30);
  for (const expr of expressions) {
    if (quiet.some((part) => expr.includes(part))) {
      await query(filled(expr));
      continue;
    }
    await until(`there is an answer to ${expr}`, async () => (await query(filled(expr))).length > 0, 20_000);
  }
  const classes = dashboard.panels.find(({ title }) => title.startsWith("Requests by class"))?.targets[0];
  const byClass = await query(filled(classes?.expr as string));
  assert.deepEqual(byClass.map(({ metric }) => metric.class).sort(), ["2xx", "5xx"]);

  // Prometheus asks for OpenMetrics, in which a counter's family has no _total.
  const families = new Set(Object.keys((await api("metadata")) as object));
  const missing = Object.values(METRICS)
    .map(({ name }) => name.replace(/_total$/, ""))
    .filter((name) => !families.has(name));
  // There has been no such error, this machine may have no limit, and the server speaks no TLS.
  const mayLack = [
    "tsgun_connection_errors",
    METRICS.memoryLimit.name,
    "tsgun_certificate_not_after_seconds",
  ];
  assert.deepEqual(
    missing.filter((name) => !mayLack.includes(name)),
    [],
  );

  await until("the alert of server errors is pending", async () => {
    const { alerts } = (await api("alerts")) as { alerts: { labels: { alertname: string } }[] };
    return alerts.some(({ labels }) => labels.alertname === "TsgunServerErrors");
  });
});
