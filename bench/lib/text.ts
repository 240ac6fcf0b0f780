/** The results of a scenario as text for a terminal. */
import type { CandidateResult, Figure, GoalResult, ScenarioResult } from "./scenario.ts";

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Half of the rounds are within so many percent of the median. */
export function spread({ median, low, high }: { median: number; low: number; high: number }): string {
  return `±${((50 * (high - low)) / median).toFixed(0)}%`;
}

function figureCells(result: CandidateResult, figures: readonly Figure[]): string[] {
  return figures.map(({ key, digits }) => (result.figures[key]?.median ?? Number.NaN).toFixed(digits));
}

export function goalText({ candidate, baseline, figure, as, most, value, met }: GoalResult): string {
  const subject = `${candidate}${baseline === undefined ? "" : as === "ratio" ? ` / ${baseline}` : ` - ${baseline}`}`;
  return `${figure} of ${subject}: ${value.toFixed(2)}, goal at most ${most}: ${met ? "met" : "missed"}`;
}

export function scenarioText(result: ScenarioResult): string {
  const { name, what, figures, candidates, comparisons, goals, skipped, options } = result;
  const baselines = [...new Set(comparisons.map(({ baseline }) => baseline))];
  const main = (figures[0] as Figure).key;
  const heads = ["", ...figures.map(({ head }) => head), "spread", ...baselines.map((base) => `to ${base}`)];
  const rows = candidates.map((candidate) => [
    candidate.name,
    ...figureCells(candidate, figures),
    spread(candidate.figures[main] as { median: number; low: number; high: number }),
    ...baselines.map((baseline) => {
      const found = comparisons.find((one) => one.candidate === candidate.name && one.baseline === baseline);
      if (found === undefined) return "";
      const { median, low, high } = found.ratio;
      return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
    }),
  ]);
  return [
    `\n${name}: ${what} (${options.rounds} rounds of ${options.seconds} s)`,
    ...(candidates.length > 0 ? [table([heads, ...rows])] : []),
    ...goals.map((goal) => `  ${goalText(goal)}`),
    ...skipped.map(
      ({ candidate, reason, failed }) => `  ${candidate} ${failed ? "failed" : "left out"}: ${reason}`,
    ),
  ].join("\n");
}
