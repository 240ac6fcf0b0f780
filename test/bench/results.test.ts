/** The results of rounds, and the tables of several runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResultDocument } from "../../bench/lib/document.ts";
import { candidatesOf, runScenario } from "../../bench/lib/runner.ts";
import type { Scenario, Values } from "../../bench/lib/scenario.ts";
import { Missing, type Server } from "../../bench/lib/server.ts";
import { pairedRatios, percentile, summarize } from "../../bench/lib/statistics.ts";
import { details, goalTable, replaceBlock, surroundings, versionsOf } from "../../bench/lib/tables.ts";
import { scenarioText } from "../../bench/lib/text.ts";
import { SCENARIOS } from "../../bench/scenarios/index.ts";
import { serverNamed } from "../../bench/servers/index.ts";

const nothing = (): void => {};

function server(name: string, version = () => "1.2"): Server {
  return { name, what: name, version, command: () => ({ words: ["true"] }) };
}

/** A scenario whose servers show these figures, round by round; an error ends a server. */
function scenario(figures: { readonly [name: string]: readonly (number | Error)[] }): Scenario {
  const next = new Map(Object.entries(figures).map(([name, values]) => [name, values.values()]));
  return {
    name: "made",
    what: "made up",
    launch: { app: "hello", workers: 1 },
    entries: Object.keys(figures),
    measure: {
      figures: [{ key: "cpu", head: "CPU µs", digits: 1 }],
      open: async ({ name }) => ({
        async round(): Promise<Values> {
          const value = next.get(name)?.next().value;
          if (value instanceof Error) throw value;
          return { cpu: value as number };
        },
        close: async () => {},
        abort: async () => {},
      }),
    },
    goals: [
      { candidate: "ours", baseline: "theirs", as: "ratio", most: 0.5 },
      { candidate: "ours", baseline: "theirs", as: "difference", most: -10 },
      { candidate: "ours", as: "value", most: 5 },
    ],
  };
}

const rounds = (count: number) => ({ rounds: count, seconds: 1 });

test("medians and quartiles are interpolated", () => {
  assert.deepEqual(summarize([4, 1, 3, 2]), { median: 2.5, low: 1.75, high: 3.25 });
  assert.equal(percentile([5, 1], 0.75), 4);
  assert.deepEqual(pairedRatios([1, 6], [2, 3]), [0.5, 2]);
});

test("a ratio is the median of those of pairs of rounds", async () => {
  const made = scenario({ theirs: [10, 20, 40], ours: [5, 11, 12] });
  const result = await runScenario(
    made,
    candidatesOf(made, undefined, server),
    rounds(3),
    undefined,
    nothing,
  );
  assert.deepEqual(result.comparisons, [
    { candidate: "ours", baseline: "theirs", figure: "cpu", ratio: { median: 0.5, low: 0.4, high: 0.525 } },
  ]);
  assert.deepEqual(
    result.goals.map(({ value, met }) => [value, met]),
    [
      [0.5, true],
      [-9, false],
      [11, false],
    ],
  );
  assert.match(scenarioText(result), /^ours +11\.0 +±\d+% +0\.50 \(0\.40 to 0\.53\)$/m);
});

test("a server that fails or is missing is left out with the reason, and the others go on", async () => {
  const made = scenario({
    absent: [],
    theirs: [10, 10],
    ours: [new Error("it answered 500")],
    others: [5, 5],
  });
  const find = (name: string): Server =>
    server(name, () => {
      if (name === "absent") throw new Missing("absent is missing: install it");
      return "1";
    });
  const result = await runScenario(made, candidatesOf(made, undefined, find), rounds(2), undefined, nothing);
  assert.deepEqual(
    result.candidates.map(({ name, rounds }) => [name, rounds.length]),
    [
      ["theirs", 2],
      ["others", 2],
    ],
  );
  assert.deepEqual(
    result.comparisons.map(({ candidate, baseline, ratio }) => [candidate, baseline, ratio.median]),
    [["others", "theirs", 0.5]],
  );
  assert.deepEqual(result.skipped, [
    { candidate: "absent", reason: "absent is missing: install it", failed: false },
    { candidate: "ours", reason: "it answered 500", failed: true },
  ]);
});

test("another build takes each part that this one has", () => {
  const log = SCENARIOS.find(({ name }) => name === "access-log") as Scenario;
  const candidates = candidatesOf(log, ["tsgun@/other"], serverNamed);
  assert.deepEqual(
    candidates.map(({ name, launch }) => [name, launch.accessLog]),
    [
      ["no log@/other", undefined],
      ["combined@/other", "combined"],
      ["json@/other", "json"],
    ],
  );
});

test("every scenario names servers that exist, and goals of its candidates", () => {
  for (const { name, entries, goals = [], baselines = [] } of SCENARIOS) {
    const candidates = entries.map((entry) =>
      typeof entry === "string" ? { name: entry, server: entry } : entry,
    );
    const names = candidates.map((candidate) => candidate.name);
    for (const candidate of candidates)
      assert.ok(serverNamed(candidate.server), `${name}: ${candidate.server}`);
    for (const baseline of baselines) assert.ok(names.includes(baseline), `${name}: ${baseline}`);
    for (const goal of goals) {
      assert.ok(names.includes(goal.candidate), `${name}: ${goal.candidate}`);
      if (goal.baseline !== undefined) assert.ok(names.includes(goal.baseline), `${name}: ${goal.baseline}`);
    }
  }
  assert.equal(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
});

async function run(node: string, ours: number): Promise<ResultDocument> {
  const made = scenario({ theirs: [10], ours: [ours] });
  const result = await runScenario(
    made,
    candidatesOf(made, undefined, server),
    rounds(1),
    undefined,
    nothing,
  );
  const system = { release: "6.1", processor: "a processor", processors: 2 };
  const pinning = { server: 0, load: 1 };
  return { date: "2026-01-02T03:04:05Z", node, v8: "1", system, pinning, minutes: 3, scenarios: [result] };
}

test("tables have a figure for each version of Node, of the last run that has the scenario", async () => {
  const versions = versionsOf([await run("24.1.0", 4), await run("20.5.0", 9), await run("24.1.0", 8)]);
  assert.match(goalTable(versions), /^\| scenario \| figure \| goal \| Node 20\.5 \| Node 24\.1 \|$/m);
  assert.match(
    goalTable(versions),
    /^\| `made` \| CPU: ours \/ theirs \| ≤ 0\.5 \| \*\*0\.90\*\* \| \*\*0\.80\*\* \|$/m,
  );
  assert.match(
    details(versions),
    /^\| ours \| 9\.0 \/ 8\.0 \| 0\.90 \/ 0\.80 \| 0\.90–0\.90 \/ 0\.80–0\.80 \|$/m,
  );
  assert.match(
    surroundings(versions),
    /Node 20\.5\.0 \(V8 1\), 24\.1\.0 .*theirs 1\.2, ours 1\.2\. .* 3, 6 minutes/,
  );
});

test("a block between marks is replaced, and missing marks are an error", () => {
  const page = "a\n<!-- x: made by npm run bench:report -->\nold\n<!-- end of x -->\nb\n";
  const replaced = replaceBlock(page, "x", "new");
  assert.equal(replaced, page.replace("old", "\nnew\n"));
  assert.equal(replaceBlock(replaced, "x", "new"), replaced);
  assert.throws(() => replaceBlock(page, "y", "new"), /the marks of y are missing/);
});
