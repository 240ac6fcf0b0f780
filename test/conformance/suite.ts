/** Checks a server against docs/gateway.md: runs every case on it, with the plain app and under lint. */
import { describe, test } from "node:test";
import { lint } from "../../src/gateway/lint.ts";
import { applicationCases } from "./cases/application.ts";
import { bodyCases } from "./cases/body.ts";
import { connectionCases } from "./cases/connection.ts";
import { errorCases } from "./cases/errors.ts";
import { requestCases } from "./cases/request.ts";
import { responseCases } from "./cases/response.ts";
import { upgradeCases } from "./cases/upgrade.ts";
import { writerCases } from "./cases/writer.ts";
import type { StartSubject } from "./exchange.ts";
import { type Case, Stage } from "./stage.ts";

export const CASES: readonly Case[] = [
  ...applicationCases,
  ...requestCases,
  ...bodyCases,
  ...responseCases,
  ...writerCases,
  ...upgradeCases,
  ...errorCases,
  ...connectionCases,
];

export interface SuiteTraits {
  /** False for a server without connections: cases that need one are skipped. */
  readonly wire: boolean;
  /** Clauses or titles of cases to skip, because the server does not support them, with the reason. */
  readonly lacks?: { readonly [clauseOrTitle: string]: string };
}

/** Runs the suite on the server that `start` starts with an app. */
export function conformance(name: string, start: StartSubject, traits: SuiteTraits): void {
  describe(`gateway conformance: ${name}`, () => {
    for (const each of CASES) {
      if (each.wire === true && !traits.wire) continue;
      if ([...each.clauses, each.title].some((name) => traits.lacks?.[name] !== undefined)) continue;
      const title = `${each.clauses.join(", ")}: ${each.title}`;
      test(title, () => runCase(each, start, false));
      if (each.notUnderLint === undefined) test(`${title} (under lint)`, () => runCase(each, start, true));
    }
  });
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
    stage.enter(await start(linted ? lint(app, { warn: () => {} }) : app, options));
    await each.run(stage);
  } finally {
    await stage.leave();
  }
}
