/** The rules and the configuration for Prometheus, read by Prometheus's own tool; each alert is raised, and not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { makeConfig } from "../../../src/config/config.ts";
import type { Deployment } from "../../../src/deploy/init/deployment.ts";
import { prometheusConfig, prometheusRules } from "../../../src/deploy/init/prometheus.ts";
import { temporaryFolder } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { ALERT_CASES, type AlertCase } from "./alert-cases.ts";

interface Rule {
  readonly alert: string;
  readonly labels: object;
  readonly annotations: { readonly description: string };
}

function deployment(adminBind?: string): Deployment {
  const layer = { values: adminBind === undefined ? {} : { adminBind }, origin: () => "the test" };
  const config = makeConfig([layer]);
  return { name: "shop", config } as Deployment;
}

const RULES = (parse(prometheusRules(deployment())) as { groups: { rules: Rule[] }[] }).groups[0]
  ?.rules as Rule[];

/** A test of one alert for promtool. */
function ruleTest({ alert, at, labels = {}, summary, ...cases }: AlertCase, kind: "ill" | "well"): object {
  const rule = RULES.find((each) => each.alert === alert) as Rule;
  const server = alert === "TsgunNoMetrics" ? { job: "shop" } : { job: "shop", instance: "a:9000" };
  const raised = {
    exp_labels: { ...rule.labels, ...server, ...labels },
    exp_annotations: { ...rule.annotations, summary },
  };
  return {
    name: `${alert}, ${kind}`,
    interval: "30s",
    input_series: Object.entries(cases[kind]).map(([series, values]) => ({ series, values })),
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: kind === "ill" ? [raised] : [] }],
  };
}

test("every alert has a case", () => {
  assert.deepEqual(
    RULES.map(({ alert }) => alert),
    ALERT_CASES.map(({ alert }) => alert),
  );
});

test("promtool accepts the files; each alert is raised when it should be, and only then", (context) => {
  if (!hasComponent(context, "promtool", "prometheus")) return;
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "shop.rules.yml"), prometheusRules(deployment()));
  writeFileSync(join(folder, "prometheus.yml"), prometheusConfig(deployment()));
  const tests = ALERT_CASES.flatMap((each) => [ruleTest(each, "ill"), ruleTest(each, "well")]);
  const suite = { rule_files: ["shop.rules.yml"], evaluation_interval: "30s", tests };
  writeFileSync(join(folder, "tests.yml"), stringify(suite));
  for (const words of [
    ["check", "rules", "shop.rules.yml"],
    ["check", "config", "prometheus.yml"],
    ["test", "rules", "tests.yml"],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", words, { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  }
});

test("the configuration asks the server where it answers", () => {
  const targets = (adminBind?: string): unknown =>
    (parse(prometheusConfig(deployment(adminBind))) as { scrape_configs: { static_configs: unknown }[] })
      .scrape_configs[0]?.static_configs;
  assert.deepEqual(targets(), [{ targets: ["127.0.0.1:9000"] }]);
  assert.deepEqual(targets("unix:/run/health.sock"), [{ targets: ["127.0.0.1:9000"] }]);
  assert.deepEqual(targets("0.0.0.0:9100"), [{ targets: ["127.0.0.1:9100"] }]);
  assert.deepEqual(targets("[::1]:9100"), [{ targets: ["[::1]:9100"] }]);
});
