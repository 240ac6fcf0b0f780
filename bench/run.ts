/**
 * `npm run bench [-- scenario…]`: compares servers of the field under the same load, in turns.
 *
 *   npm run bench -- [SCENARIO…] [--servers NAME,…] [--rounds N] [--seconds N] [--json FILE] [--list]
 *
 * Servers run on one core, the load on another. CPU time is that of all processes of a server. Ratios are those of the
 * rounds of a pair that were next to each other in time; compare these, not figures of different runs. Nothing here
 * fails because of a time. docs/performance.md has the method and the results.
 */
import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import type { ResultDocument } from "./lib/document.ts";
import { pin } from "./lib/pinning.ts";
import { findProgram } from "./lib/programs.ts";
import { candidatesOf, runScenario } from "./lib/runner.ts";
import type { Scenario, ScenarioResult } from "./lib/scenario.ts";
import { Missing } from "./lib/server.ts";
import { scenarioText } from "./lib/text.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { SERVERS, serverNamed } from "./servers/index.ts";

const USAGE =
  "usage: bench [SCENARIO…] [--servers NAME,…] [--rounds N] [--seconds N] [--json FILE or -] [--list]";

/** A mistake in the command line. */
class Mistake extends Error {}

function commandLine() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        servers: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string", default: "1" },
        json: { type: "string" },
        list: { type: "boolean", default: false },
      },
    });
    return { ...values, scenarios: positionals };
  } catch (error) {
    throw new Mistake(`${(error as Error).message.replace(/\.? *$/, "")}; ${USAGE}`);
  }
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value >= 1 && Number.isInteger(value)))
    throw new Mistake(`--${option} takes a whole number from 1 on, not ${text}`);
  return value;
}

/** The scenarios of these names; a name that ends with * stands for all that begin so. */
function chosenScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS;
  const found = names.map((name) => {
    const matches = SCENARIOS.filter((scenario) =>
      name.endsWith("*") ? scenario.name.startsWith(name.slice(0, -1)) : scenario.name === name,
    );
    if (matches.length === 0)
      throw new Mistake(
        `there is no scenario ${name}; there are: ${SCENARIOS.map((one) => one.name).join(", ")}`,
      );
    return matches;
  });
  return [...new Set(found.flat())];
}

function chosenServers(text: string | undefined): string[] | undefined {
  const names = text?.split(",");
  const entryNames = new Set(
    SCENARIOS.flatMap(({ entries }) =>
      entries.map((entry) => (typeof entry === "string" ? entry : entry.name)),
    ),
  );
  for (const name of names ?? [])
    if (serverNamed(name) === undefined && !entryNames.has(name))
      throw new Mistake(
        `there is no server ${name}; there are: ${SERVERS.map((server) => server.name).join(", ")}, ` +
          "and tsgun@FOLDER for another build",
      );
  return names;
}

function availability(version: () => string): string {
  try {
    return version();
  } catch (error) {
    if (error instanceof Missing) return `– ${error.message}`;
    throw error;
  }
}

function list(): void {
  console.log("servers, and which version of them is here:");
  for (const { name, what, version } of SERVERS)
    console.log(`  ${name.padEnd(18)}${what}: ${availability(version)}`);
  console.log("\nscenarios, and the servers that they measure by default:");
  for (const { name, what, entries } of SCENARIOS) {
    const names = entries.map((entry) => (typeof entry === "string" ? entry : entry.name));
    console.log(`  ${name.padEnd(18)}${what}: ${names.join(", ")}`);
  }
}

/** Shows on a terminal what is being done. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

async function main(): Promise<void> {
  const options = commandLine();
  if (options.list) return list();
  if (process.platform !== "linux")
    throw new Mistake("it needs Linux: CPU time and memory of the servers are read from /proc");
  const scenarios = chosenScenarios(options.scenarios);
  const servers = chosenServers(options.servers);
  const rounds = options.rounds === undefined ? undefined : positive("rounds", options.rounds);
  const seconds = positive("seconds", options.seconds);
  if (findProgram("wrk") === undefined) throw new Mistake("wrk is missing: apt-get install wrk");

  const toStdout = options.json === "-";
  const say = toStdout ? console.error : console.log;
  const pinning = pin();
  const processor = cpus()[0]?.model ?? "unknown processor";
  say(`node ${process.version}, Linux ${release()}, ${cpus().length} × ${processor}`);
  const { cores } = pinning;
  if (cores === undefined)
    say(`NOT PINNED: ${pinning.reason}. Servers and load share cores; figures vary more.`);
  else say(`servers on core ${cores.server}, load on core ${cores.load}`);

  const started = new Date();
  const results: ScenarioResult[] = [];
  const minutes = (): number => (Date.now() - started.getTime()) / 60_000;
  const document = (): string => {
    const system = { release: release(), processor, processors: cpus().length };
    const { node, v8 } = process.versions;
    const where = cores ?? { reason: pinning.reason };
    const date = started.toISOString();
    const content: ResultDocument = {
      date,
      node,
      v8,
      system,
      pinning: where,
      minutes: minutes(),
      scenarios: results,
    };
    return `${JSON.stringify(content, undefined, 1)}\n`;
  };
  for (const scenario of scenarios) {
    const candidates = candidatesOf(scenario, servers, serverNamed);
    const result = await runScenario(scenario, candidates, { rounds, seconds }, cores, progress);
    progress("");
    say(scenarioText(result));
    results.push(result);
    // After each, so that a run that is cut off has not been in vain.
    if (options.json !== undefined && !toStdout) writeFileSync(options.json, document());
  }
  say(`\n${results.length} scenarios in ${minutes().toFixed(1)} min`);
  if (toStdout) process.stdout.write(document());
  if (results.some(({ skipped }) => skipped.some(({ failed }) => failed))) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
}
