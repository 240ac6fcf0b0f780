/** Checks a server against docs/gateway.md: runs every case on it, with the plain app and under lint. */
import { lint } from "../gateway/lint.ts";
import { applicationCases } from "./cases/application.ts";
import { bodyCases } from "./cases/body.ts";
import { connectionCases } from "./cases/connection.ts";
import { answerContentCases } from "./cases/content.ts";
import { contentDemandCases } from "./cases/content-demand.ts";
import { differenceCases } from "./cases/differences.ts";
import { errorCases } from "./cases/errors.ts";
import { framingTableCases } from "./cases/framing-table.ts";
import { informationalCases } from "./cases/informational.ts";
import { answerLengthCases } from "./cases/length.ts";
import { requestCases } from "./cases/request.ts";
import { responseCases } from "./cases/response.ts";
import { serverAnswerCases } from "./cases/server-answer.ts";
import { signalAndTimeCases } from "./cases/time.ts";
import { trailerCases } from "./cases/trailers.ts";
import { upgradeCases } from "./cases/upgrade.ts";
import { workCases } from "./cases/work.ts";
import { writerCases } from "./cases/writer.ts";
import type { StartSubject, Subject } from "./exchange.ts";
import { type Case, type Need, needsOf, Stage } from "./stage.ts";

export const CASES: readonly Case[] = [
  ...applicationCases,
  ...requestCases,
  ...bodyCases,
  ...contentDemandCases,
  ...responseCases,
  ...answerContentCases,
  ...answerLengthCases,
  ...framingTableCases,
  ...writerCases,
  ...inNeedOf("informational", informationalCases),
  ...inNeedOf("upgrade", upgradeCases),
  ...inNeedOf("trailers", trailerCases),
  ...errorCases,
  ...signalAndTimeCases,
  ...serverAnswerCases,
  ...workCases,
  ...connectionCases,
  ...differenceCases,
];

function inNeedOf(need: Need, cases: readonly Case[]): Case[] {
  return cases.map((each) => ({ ...each, needs: [...(each.needs ?? []), need] }));
}

/** The abilities that a server lacks: each need, or the title of a case, with the reason. These cases are skipped. */
export type Lacks = { readonly [need in Need]?: string } & { readonly [title: string]: string | undefined };

/** One run of a case. */
export interface PlannedCase {
  /** The clauses and the title, and whether it runs under lint. */
  readonly name: string;
  /** Why it is skipped; undefined if it runs. */
  readonly skip: string | undefined;
  /** Rejects if the server does not conform. */
  run(): Promise<void>;
}

/** The runs of all cases, for any test runner. */
export function planned(start: StartSubject, lacks: Lacks = {}): PlannedCase[] {
  return CASES.flatMap((each) => {
    const name = `${each.clauses.join(", ")}: ${each.title}`;
    const skip = lacks[each.title] ?? needsOf(each).flatMap((need) => lacks[need] ?? [])[0];
    const plain = { name, skip, run: () => runCase(each, start, false) };
    if (each.notUnderLint !== undefined) return [plain];
    return [plain, { name: `${name} (under lint)`, skip, run: () => runCase(each, start, true) }];
  });
}

export interface CaseFailure {
  readonly name: string;
  readonly error: Error;
}

/** The outcome of a run of the suite. */
export interface ConformanceReport {
  readonly passed: number;
  /** The names of skipped cases, with the reason. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly failed: readonly CaseFailure[];
}

/**
 * Runs all cases one after the other, without a test runner: for Bun, or a script. Never rejects, and no case takes longer
 * than its deadlines.
 */
export async function runConformance(start: StartSubject, lacks: Lacks = {}): Promise<ConformanceReport> {
  const skipped: { name: string; reason: string }[] = [];
  const failed: CaseFailure[] = [];
  let passed = 0;
  for (const { name, skip, run } of planned(start, lacks)) {
    if (skip !== undefined) {
      skipped.push({ name, reason: skip });
      continue;
    }
    try {
      await run();
      passed += 1;
    } catch (error) {
      failed.push({ name, error: error as Error });
    }
  }
  return { passed, skipped, failed };
}

/** A server that has not started, where the case allows it: it answers nothing. */
function unstarted(error: Error, { startError }: Case): Subject {
  if (startError === undefined || error.message !== startError) throw error;
  return { exchange: () => Promise.reject(error), close: async () => {} };
}

async function runCase(each: Case, start: StartSubject, linted: boolean): Promise<void> {
  const stage = new Stage();
  const app = each.app(stage);
  const options = {
    ...each.options,
    onError: (error: Error, request: { readonly id: string }) => {
      stage.errors.push({ error, id: request.id });
    },
  };
  try {
    const subject = start(linted ? lint(app, { warn: () => {} }) : app, options);
    stage.enter(await subject.catch((error: Error) => unstarted(error, each)));
    await stage.play(each);
  } finally {
    await stage.leave();
  }
}
