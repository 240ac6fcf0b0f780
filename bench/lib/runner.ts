/** Runs a scenario: opens its candidates, gives them turns, and sums up what the rounds came to. */
import type {
  Candidate,
  CandidateResult,
  Comparison,
  Entry,
  Goal,
  GoalResult,
  MeasureOptions,
  Scenario,
  ScenarioResult,
  Turn,
  Values,
} from "./scenario.ts";
import { Missing, type Server } from "./server.ts";
import { pairedDifferences, pairedRatios, summarize } from "./statistics.ts";

/** A candidate that takes part. */
interface Contender {
  readonly candidate: Candidate;
  readonly version: string;
  readonly turn: Turn;
  readonly rounds: Values[];
}

type Skipped = ScenarioResult["skipped"][number];

/** Those of a scenario's entries that were asked for, and servers that it does not have by default. */
export function candidatesOf(
  scenario: Scenario,
  wanted: readonly string[] | undefined,
  serverNamed: (name: string) => Server | undefined,
): Candidate[] {
  const entries = scenario.entries.map((entry) =>
    typeof entry === "string" ? { name: entry, server: entry } : entry,
  );
  const chosen: Exclude<Entry, string>[] =
    wanted === undefined
      ? entries
      : wanted.flatMap((name) => {
          const own = entries.filter((entry) => entry.name === name || entry.server === name);
          if (own.length > 0) return own;
          // Another build takes every part that this one has.
          const parts = entries.filter((entry) => entry.server === name.replace(/@.*/, ""));
          if (parts.length > 0)
            return parts.map((part) => {
              const label = part.name === part.server ? name : `${part.name}@${name.replace(/.*@/, "")}`;
              return { ...part, name: label, server: name };
            });
          return [{ name, server: name }];
        });
  const known = chosen.filter(({ server }) => serverNamed(server) !== undefined);
  return known.map(({ name, server, launch }) => ({
    name,
    server: serverNamed(server) as Server,
    launch: { ...scenario.launch, ...launch },
  }));
}

/** The rounds of those that have not failed; the others are among the skipped. */
async function takeTurns(contenders: Contender[], rounds: number, skipped: Skipped[]): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    // Every other round backwards: none is always measured before another.
    const order = round % 2 === 0 ? [...contenders] : contenders.toReversed();
    for (const contender of order) {
      try {
        contender.rounds.push(await contender.turn.round());
      } catch (error) {
        contenders.splice(contenders.indexOf(contender), 1);
        skipped.push(failure(contender.candidate, error));
        await contender.turn.abort();
      }
    }
  }
}

function failure(candidate: Candidate, error: unknown): Skipped {
  const failed = !(error instanceof Missing);
  return { candidate: candidate.name, reason: (error as Error).message, failed };
}

function resultOf({ candidate, version, rounds }: Contender, keys: readonly string[]): CandidateResult {
  const figures = Object.fromEntries(
    keys.map((key) => [key, summarize(rounds.map((values) => values[key] as number))]),
  );
  return { name: candidate.name, server: candidate.server.name, version, rounds, figures };
}

function column(result: CandidateResult, figure: string): number[] {
  return result.rounds.map((values) => values[figure] as number);
}

function comparisonsOf(
  results: readonly CandidateResult[],
  baselines: readonly string[],
  figure: string,
): Comparison[] {
  return baselines.flatMap((baseline) => {
    const base = results.find(({ name }) => name === baseline);
    if (base === undefined) return [];
    return results
      .filter((result) => result !== base)
      .map((result) => ({
        candidate: result.name,
        baseline,
        figure,
        ratio: summarize(pairedRatios(column(result, figure), column(base, figure))),
      }));
  });
}

function goalsOf(
  results: readonly CandidateResult[],
  goals: readonly Goal[],
  mainFigure: string,
): GoalResult[] {
  return goals.flatMap((goal) => {
    const { candidate, baseline, figure = mainFigure, as, most } = goal;
    const own = results.find(({ name }) => name === candidate);
    const base = results.find(({ name }) => name === baseline);
    if (own === undefined || (as !== "value" && base === undefined)) return [];
    const values = column(own, figure);
    const others = base === undefined ? [] : column(base, figure);
    const compared =
      as === "value"
        ? values
        : as === "ratio"
          ? pairedRatios(values, others)
          : pairedDifferences(values, others);
    const value = summarize(compared).median;
    return [{ ...goal, figure, value, met: value <= most }];
  });
}

/** Measures one scenario. A candidate that is missing or fails is left out, with the reason. */
export async function runScenario(
  scenario: Scenario,
  candidates: readonly Candidate[],
  wanted: { readonly rounds: number | undefined; readonly seconds: number },
  cores: MeasureOptions["cores"],
  progress: (line: string) => void,
): Promise<ScenarioResult> {
  const rounds = wanted.rounds ?? scenario.rounds ?? 5;
  const seconds = Math.max(wanted.seconds, scenario.seconds ?? 0);
  const options: MeasureOptions = { rounds, seconds, cores };
  const contenders: Contender[] = [];
  const skipped: Skipped[] = [];
  const finished: Contender[] = [];
  for (const candidate of candidates) {
    progress(`starting ${candidate.name}`);
    try {
      const version = candidate.server.version();
      const turn = await scenario.measure.open(candidate, options);
      if (turn === undefined)
        skipped.push({ candidate: candidate.name, reason: "it cannot serve this", failed: false });
      else contenders.push({ candidate, version, turn, rounds: [] });
    } catch (error) {
      skipped.push(failure(candidate, error));
    }
  }
  progress(`${rounds} rounds of ${contenders.map(({ candidate }) => candidate.name).join(", ")}`);
  await takeTurns(contenders, rounds, skipped);
  for (const contender of contenders) {
    try {
      await contender.turn.close();
      finished.push(contender);
    } catch (error) {
      skipped.push(failure(contender.candidate, error));
    }
  }
  const { figures } = scenario.measure;
  const main = (figures[0] as { key: string }).key;
  const results = finished.map((contender) =>
    resultOf(
      contender,
      figures.map(({ key }) => key),
    ),
  );
  const present = (scenario.baselines ?? []).filter((name) => results.some((result) => result.name === name));
  const baselines = present.length > 0 ? present : results.slice(0, 1).map(({ name }) => name);
  return {
    name: scenario.name,
    what: scenario.what,
    options: { rounds, seconds },
    figures,
    candidates: results,
    comparisons: comparisonsOf(results, baselines, main),
    goals: goalsOf(results, scenario.goals ?? [], main),
    skipped,
  };
}
