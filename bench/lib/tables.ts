/** The results of several runs as tables of Markdown: a cell has a figure for each version of Node. */
import type { ResultDocument } from "./document.ts";
import type { CandidateResult, Figure, GoalResult, ScenarioResult } from "./scenario.ts";

/** The results of one version of Node. */
export interface Version {
  readonly node: string;
  readonly documents: readonly ResultDocument[];
  readonly scenarios: ReadonlyMap<string, ScenarioResult>;
}

const short = (version: string): string => version.split(".").slice(0, 2).join(".");

/** Where several documents of one version have a scenario, the last one's result is taken. */
export function versionsOf(documents: readonly ResultDocument[]): Version[] {
  const nodes = [...new Set(documents.map(({ node }) => node))].sort(
    (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
  );
  return nodes.map((node) => {
    const own = documents.filter((document) => document.node === node);
    const scenarios = own.flatMap(({ scenarios }) => scenarios.map((one) => [one.name, one] as const));
    return { node, documents: own, scenarios: new Map(scenarios) };
  });
}

/** A cell: a value for each version, or a dash. */
function each(
  versions: readonly Version[],
  value: (scenario: ScenarioResult) => string | undefined,
  name: string,
): string {
  return versions
    .map(({ scenarios }) => {
      const scenario = scenarios.get(name);
      return (scenario && value(scenario)) ?? "–";
    })
    .join(" / ");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** All scenarios in the order of the first version that has them. */
function scenariosOf(versions: readonly Version[]): ScenarioResult[] {
  const all = new Map<string, ScenarioResult>();
  for (const { scenarios } of versions)
    for (const [name, scenario] of scenarios) if (!all.has(name)) all.set(name, scenario);
  return [...all.values()];
}

const UNITS: { readonly [figure: string]: string } = {
  memory: " MB",
  worker: " MB",
  connection: " kB",
  cpu: " µs",
};

function goalLabel({ candidate, baseline, figure, as, most }: GoalResult): [subject: string, goal: string] {
  const name = figure === "cpu" ? "CPU" : figure;
  if (as === "ratio") return [`${name}: ${candidate} / ${baseline}`, `≤ ${most}`];
  const unit = UNITS[figure] ?? "";
  if (as === "difference") return [`${name}: ${candidate} − ${baseline}`, `≤ ${most}${unit}`];
  return [`${name}: ${candidate}`, `≤ ${most}${unit}`];
}

/** Each goal with the figure of each version. */
export function goalTable(versions: readonly Version[]): string {
  const isSame = (one: GoalResult, other: GoalResult): boolean =>
    goalLabel(one).join() === goalLabel(other).join();
  const rows = scenariosOf(versions).flatMap((scenario) =>
    scenario.goals.map((goal) => {
      const cells = versions.map(({ scenarios }) => {
        const found = scenarios.get(scenario.name)?.goals.find((one) => isSame(one, goal));
        if (found === undefined) return "–";
        return found.met ? found.value.toFixed(2) : `**${found.value.toFixed(2)}**`;
      });
      return [`\`${scenario.name}\``, ...goalLabel(goal), ...cells];
    }),
  );
  return table(["scenario", "figure", "goal", ...versions.map(({ node }) => `Node ${short(node)}`)], rows);
}

function candidateIn(scenario: ScenarioResult, name: string): CandidateResult | undefined {
  return scenario.candidates.find((candidate) => candidate.name === name);
}

function candidateRow(
  versions: readonly Version[],
  scenario: ScenarioResult,
  name: string,
  baseline: string,
): string[] {
  const figure = ({ key, digits }: Figure): string =>
    each(versions, (one) => candidateIn(one, name)?.figures[key]?.median.toFixed(digits), scenario.name);
  const ratio = (one: ScenarioResult): string | undefined => {
    const found = one.comparisons.find((other) => other.candidate === name && other.baseline === baseline);
    return found?.ratio.median.toFixed(2);
  };
  const range = (one: ScenarioResult): string | undefined => {
    const found = one.comparisons.find((other) => other.candidate === name && other.baseline === baseline);
    return found && `${found.ratio.low.toFixed(2)}–${found.ratio.high.toFixed(2)}`;
  };
  const compared =
    name === baseline ? ["1", ""] : [ratio, range].map((cell) => each(versions, cell, scenario.name));
  return [name, ...scenario.figures.map(figure), ...compared];
}

/** All figures of all scenarios. */
export function details(versions: readonly Version[]): string {
  const blocks = scenariosOf(versions).map((scenario) => {
    const all = versions.flatMap(({ scenarios }) => scenarios.get(scenario.name)?.candidates ?? []);
    const names = [...new Set(all.map(({ name }) => name))];
    const baseline = scenario.comparisons[0]?.baseline ?? names[0] ?? "";
    const heads = ["", ...scenario.figures.map(({ head }) => head), `to ${baseline}`, "half of the rounds"];
    const rows = names.map((name) => candidateRow(versions, scenario, name, baseline));
    return `**${scenario.name}**: ${scenario.what}\n\n${table(heads, rows)}`;
  });
  return blocks.join("\n\n");
}

/** The versions of everything, and the machine. */
export function surroundings(versions: readonly Version[]): string {
  const documents = versions.flatMap((version) => version.documents);
  const { system, pinning } = documents[0] as ResultDocument;
  const candidates = documents.flatMap(({ scenarios }) =>
    scenarios.flatMap((scenario) => scenario.candidates),
  );
  const own = /^(tsgun|node|cluster|canned)/;
  const servers = new Map(
    candidates.filter(({ server }) => !own.test(server)).map((one) => [one.server, one.version]),
  );
  const names = [...servers].map(([name, version]) => `${name} ${version}`).join(", ");
  const nodes = versions.map(({ node, documents }) => `${node} (V8 ${documents[0]?.v8})`).join(", ");
  const dates = documents.map(({ date }) => date.slice(0, 10)).sort();
  const days = [...new Set([dates[0], dates.at(-1)])].join(" to ");
  const cores =
    "reason" in pinning ? `not pinned: ${pinning.reason}` : "servers on one core, load on the other";
  const minutes = versions.map(({ documents }) =>
    documents.reduce((sum, one) => sum + one.minutes, 0).toFixed(0),
  );
  return (
    `Measured on ${days}: ${system.processors} × ${system.processor}, Linux ${system.release}, ${cores}. Node ${nodes}; ` +
    `${names}. The runs took ${minutes.join(", ")} minutes.`
  );
}

/** Puts `content` between the marks of a block. */
export function replaceBlock(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}: made by npm run bench:report -->`;
  const end = `<!-- end of ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to === -1) throw new Error(`the marks of ${name} are missing`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
}
