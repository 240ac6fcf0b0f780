/** Formats the findings as text and JSON, and lists what was checked: no findings can also mean that nothing was checked. */
import type { Finding } from "./finding.ts";

export interface Report {
  readonly findings: readonly Finding[];
  /** Short names of what was checked, and of what was not. */
  readonly checked: readonly string[];
  readonly unchecked: readonly string[];
}

export function countOf({ findings }: Report, level: Finding["level"]): number {
  return findings.filter((finding) => finding.level === level).length;
}

/** Formats one block per finding, then the counts. */
export function formatReport(report: Report): string {
  const { findings, checked, unchecked } = report;
  const blocks = findings.map(
    ({ rule, level, where, what, breaks, mend }) =>
      `${level.padEnd(7)} ${where}  [${rule}]\n        ${what}\n        breaks: ${breaks}\n        fix:    ${mend}\n\n`,
  );
  const looked = `Checked: ${checked.join(", ")}; not checked: ${unchecked.join(", ") || "nothing"}`;
  return `${blocks.join("")}${plural(countOf(report, "error"), "error")}, ${plural(countOf(report, "warning"), "warning")}. ${looked}\n`;
}

function plural(count: number, word: string): string {
  return `${count === 0 ? "no" : count} ${word}${count === 1 ? "" : "s"}`;
}

export function formatJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
