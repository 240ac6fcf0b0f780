/** The findings for people and for programs, and what was looked at: silence is no health. */
import type { Finding } from "./finding.ts";

export interface Report {
  readonly findings: readonly Finding[];
  /** What was looked at, and what was not, in a few words each. */
  readonly checked: readonly string[];
  readonly unchecked: readonly string[];
}

export function countOf({ findings }: Report, level: Finding["level"]): number {
  return findings.filter((finding) => finding.level === level).length;
}

/** One block for each finding, and the count. */
export function formatReport(report: Report): string {
  const { findings, checked, unchecked } = report;
  const blocks = findings.map(
    ({ rule, level, where, what, breaks, mend }) =>
      `${level.padEnd(7)} ${where}  [${rule}]\n        ${what}\n        breaks: ${breaks}\n        mend:   ${mend}\n\n`,
  );
  const looked = `Checked: ${checked.join(", ")}; not looked at: ${unchecked.join(", ") || "nothing"}`;
  return `${blocks.join("")}${plural(countOf(report, "error"), "error")}, ${plural(countOf(report, "warning"), "warning")}. ${looked}\n`;
}

function plural(count: number, word: string): string {
  return `${count === 0 ? "no" : count} ${word}${count === 1 ? "" : "s"}`;
}

export function formatJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
