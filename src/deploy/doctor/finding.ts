/** What a rule is and what it finds, as data: rules look at facts and at nothing else. */
import type { Facts } from "./facts.ts";

/** An error breaks requests, a start or a stop; a warning costs something, or breaks them once something else happens. */
export type Level = "error" | "warning";

/** What a rule has found at one place. */
export interface Found {
  /** `file:line`, or what else can be looked at: a setting, a socket, a process. */
  readonly where: string;
  /** How it is, with the values that do not fit. */
  readonly what: string;
  /** How to mend it here, where that says more than the rule does. */
  readonly mend?: string;
}

export interface Rule {
  /** Begins with the family: `nginx-keepalive-longer`. */
  readonly id: string;
  readonly level: Level;
  /** When it is found, for the table in docs/doctor.md. */
  readonly title: string;
  readonly breaks: string;
  readonly mend: string;
  check(facts: Facts): readonly Found[];
}

/** One thing that is wrong, as it is reported. */
export interface Finding {
  readonly rule: string;
  readonly level: Level;
  readonly where: string;
  readonly what: string;
  readonly breaks: string;
  readonly mend: string;
}

/** What the rules find, errors first, the same thing at the same place once. */
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
