/** The dashboard of `tsgun init grafana` against Grafana's own schema: its types, which are generated from it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { METRICS } from "../../src/deploy/init/promql.ts";
import { initialise, projectOf } from "../support/init.ts";
import { installPackages } from "../support/npm-packages.ts";

const COMPILER = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "tsc");
const SCHEMA = "@grafana/schema@13.2.3";

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly options: object;
  readonly fieldConfig: { readonly defaults: { readonly custom?: object } };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
}

const PLUGINS: Readonly<Record<string, string>> = {
  stat: "stat/panelcfg/x/StatPanelCfg_types.gen",
  timeseries: "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen",
  heatmap: "heatmap/panelcfg/x/HeatmapPanelCfg_types.gen",
};

/** A program that compiles only if the dashboard, and what belongs to the plugins of its panels, is as Grafana has it. */
function program(dashboard: Dashboard): string {
  const imports = Object.entries(PLUGINS).map(
    ([type, path]) => `import type * as ${type} from "@grafana/schema/dist/esm/raw/composable/${path}";`,
  );
  const parts = dashboard.panels.flatMap(({ type, options, fieldConfig }, index) => [
    `export const options${index}: Json<${type}.Options> = ${JSON.stringify(options)};`,
    ...(fieldConfig.defaults.custom === undefined
      ? []
      : [
          `export const custom${index}: Json<${type}.FieldConfig> = ${JSON.stringify(fieldConfig.defaults.custom)};`,
        ]),
  ]);
  return `import type { AnnotationQuery, Dashboard, DataQuery } from "@grafana/schema";
${imports.join("\n")}
/** A type as it is in JSON: the values of an enum, not its members. */
type Json<T> = T extends string ? \`\${T}\`
  : T extends number ? (\`\${T}\` extends \`\${infer N extends number}\` ? N : number)
  : T extends boolean | null | undefined ? T
  : unknown extends T ? T
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T;
interface PrometheusQuery extends DataQuery { expr: string }
type Whole = Omit<Dashboard, "annotations"> & { annotations: { list: AnnotationQuery<PrometheusQuery>[] } };
export const dashboard: Json<Whole> = ${JSON.stringify(dashboard, undefined, 1)};
${parts.join("\n")}
`;
}

test("the dashboard is as Grafana's schema has it, and names only metrics of the table", (t) => {
  const folder = projectOf(t, {
    "package.json": '{ "name": "shop", "type": "module" }',
    "app.mjs": "export const handler = (_request, respond) => respond(200, {}, 'shop');\n",
  });
  const { status, stderr } = initialise(folder, "grafana");
  assert.equal(status, 0, stderr);
  const text = readFileSync(join(folder, "deploy/grafana/shop.json"), "utf8");
  const dashboard = JSON.parse(text) as Dashboard;

  const known = new Set(
    Object.values(METRICS).flatMap(({ name, type }) =>
      type === "histogram" || type === "summary"
        ? ["_bucket", "_sum", "_count"].map((part) => name + part)
        : [name],
    ),
  );
  const named = dashboard.panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => [...expr.matchAll(/([a-z][\w:]*)\{/g)].map((match) => match[1] as string)),
  );
  assert.ok(named.length > 25);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
  const places = dashboard.panels.map(({ gridPos: { x, y, w, h } }) => ({
    x,
    y,
    right: x + w,
    below: y + h,
  }));
  for (const [index, one] of places.entries()) {
    assert.ok(one.right <= 24);
    const over = places.slice(0, index).filter((other) => {
      const beside = other.right <= one.x || one.right <= other.x;
      return !beside && other.below > one.y && one.below > other.y;
    });
    assert.deepEqual(over, [], `panel ${index + 1} covers others`);
  }

  if (!installPackages(t, folder, SCHEMA)) return;
  const compile = (source: string) => {
    writeFileSync(join(folder, "dashboard.ts"), source);
    return spawnSync(COMPILER, ["-p", folder], { encoding: "utf8" });
  };
  const options = { module: "nodenext", strict: true, noEmit: true, skipLibCheck: true, types: [] };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["dashboard.ts"] }),
  );
  const compiled = compile(program(dashboard));
  assert.equal(compiled.status, 0, compiled.stdout);
  // The check can fail: members that Grafana does not have, and values that it does not know.
  for (const [right, wrong] of [
    ["gridPos", "gridPlace"],
    ['"drawStyle":"line"', '"drawStyle":"wave"'],
    ['"mode":"multi"', '"mode":"all"'],
  ] as const)
    assert.notEqual(compile(program(dashboard).replace(right, wrong)).status, 0, wrong);
});
