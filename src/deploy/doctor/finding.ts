/** Rules and their findings as data. A rule reads the facts and nothing else. */
import type { Facts } from "./facts.ts";

/** An error breaks requests, a start or a stop. A warning costs something, or breaks them only after a further event. */
export type Level = "error" | "warning";

/** One result of a rule. */
export interface Match {
  /** `file:line`, or a setting, a socket or a process. */
  readonly where: string;
  /** The fault, with the values that conflict. */
  readonly what: string;
  /** The fix for this case, if more specific than the rule's. */
  readonly mend?: string;
}

export interface Rule {
  /** Prefixed with its family: `nginx-keepalive-longer`. */
  readonly id: string;
  readonly level: Level;
  /** The condition, for the table in docs/doctor.md. */
  readonly title: string;
  readonly breaks: string;
  readonly mend: string;
  check(facts: Facts): readonly Match[];
}

/** A finding as reported. */
export interface Finding {
  readonly rule: string;
  readonly level: Level;
  readonly where: string;
  readonly what: string;
  readonly breaks: string;
  readonly mend: string;
}

/** Runs the rules. Returns the findings without duplicates, errors first. */
export function diagnose(rules: readonly Rule[], facts: Facts): readonly Finding[] {
  const findings = rules.flatMap(({ id, level, breaks, mend, check }) =>
    check(facts).map((found): Finding => ({ rule: id, level, breaks, mend, ...found })),
  );
  const once = new Map(
    findings.map((finding) => [`${finding.rule} ${finding.where} ${finding.what}`, finding]),
  );
  const all = [...once.values()];
  return [...all.filter(({ level }) => level === "error"), ...all.filter(({ level }) => level === "warning")];
}
