/** A scenario, which is a row of the bench: candidates that take turns at one measure. */

import type { Cores } from "./pinning.ts";
import type { Launch, Server } from "./server.ts";
import type { Summary } from "./statistics.ts";

/** A figure that a measure yields: its name in `Values` and in the JSON, and its head in a table. */
export interface Figure {
  readonly key: string;
  readonly head: string;
  readonly digits: number;
}

/** The figures of one round by their keys. */
export type Values = { readonly [key: string]: number };

/** A server as a scenario uses it. */
export interface Candidate {
  readonly name: string;
  readonly server: Server;
  readonly launch: Launch;
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** The cores of servers and of the load; undefined: not pinned. */
  readonly cores: Cores | undefined;
}

/** One candidate's part in the rounds. */
export interface Turn {
  round(): Promise<Values>;
  /** Checks that the server still answers rightly, and stops it. */
  close(): Promise<void>;
  /** Stops it after a failure. */
  abort(): Promise<void>;
}

/** Prepares a turn, and stops its server if that fails. */
export async function prepared<T extends Turn & { prepare(workers: number): Promise<void> }>(
  turn: T,
  workers: number,
): Promise<T> {
  try {
    await turn.prepare(workers);
  } catch (error) {
    await turn.abort();
    throw error;
  }
  return turn;
}

export interface Measure {
  /** The first one is that of ratios and goals, unless a goal names another. */
  readonly figures: readonly Figure[];
  /** Prepares a candidate: starts and checks the server where it lives over all rounds. Undefined: it cannot do that. */
  open(candidate: Candidate, options: MeasureOptions): Promise<Turn | undefined>;
}

/** A goal: the candidate's figure, its ratio or difference to the baseline's, is at most so much. */
export interface Goal {
  readonly candidate: string;
  /** Default: the first figure of the measure. */
  readonly figure?: string;
  /** Without a baseline the figure itself is bounded. */
  readonly baseline?: string;
  readonly as: "ratio" | "difference" | "value";
  readonly most: number;
}

/** A candidate of a scenario: a server's name, or one with what differs from the scenario's launch. */
export type Entry =
  | string
  | { readonly name: string; readonly server: string; readonly launch?: Partial<Launch> };

export interface Scenario {
  readonly name: string;
  /** One line about the measure. */
  readonly what: string;
  readonly launch: Launch;
  /** Those measured by default. */
  readonly entries: readonly Entry[];
  /** Those that others are compared with. Default: the first entry. */
  readonly baselines?: readonly string[];
  readonly measure: Measure;
  readonly goals?: readonly Goal[];
  /** The number of rounds, if not the usual one. */
  readonly rounds?: number;
  /** Seconds of a round, at least. */
  readonly seconds?: number;
}

/** The results of a candidate's rounds. */
export interface CandidateResult {
  readonly name: string;
  readonly server: string;
  readonly version: string;
  readonly rounds: readonly Values[];
  readonly figures: { readonly [key: string]: Summary };
}

/** A candidate's figure against that of a baseline, over pairs of rounds. */
export interface Comparison {
  readonly candidate: string;
  readonly baseline: string;
  readonly figure: string;
  readonly ratio: Summary;
}

export interface GoalResult extends Goal {
  readonly figure: string;
  readonly value: number;
  readonly met: boolean;
}

export interface ScenarioResult {
  readonly name: string;
  readonly what: string;
  readonly options: { readonly rounds: number; readonly seconds: number };
  readonly figures: readonly Figure[];
  readonly candidates: readonly CandidateResult[];
  readonly comparisons: readonly Comparison[];
  readonly goals: readonly GoalResult[];
  /** Candidates that could not be measured, and why. */
  readonly skipped: readonly {
    readonly candidate: string;
    readonly reason: string;
    readonly failed: boolean;
  }[];
}
