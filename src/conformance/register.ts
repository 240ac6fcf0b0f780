/** The suite as tests of node:test. */
import { describe, test } from "node:test";
import type { StartSubject } from "./exchange.ts";
import { type Lacks, planned } from "./suite.ts";

/** Registers a test for each case on the server that `start` starts with an app. */
export function conformance(name: string, start: StartSubject, lacks: Lacks = {}): void {
  describe(`gateway conformance: ${name}`, () => {
    for (const { name: title, skip, run } of planned(start, lacks))
      test(title, skip === undefined ? {} : { skip }, () => run());
  });
}
