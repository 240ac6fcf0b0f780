/** Start-up against a bare file on node:cluster. */
import type { Scenario } from "../lib/scenario.ts";
import { STARTS } from "../measures/start.ts";

const start = (workers: number): Scenario => ({
  name: `start-${workers}`,
  what: `from the start of the command to the first answer, ${workers} worker${workers === 1 ? "" : "s"}`,
  launch: { app: "hello", workers },
  entries: [
    "cluster",
    { name: "tsgun .mjs", server: "tsgun" },
    { name: "tsgun .ts", server: "tsgun", launch: { typescript: true } },
  ],
  rounds: 9,
  measure: STARTS,
  goals: [
    { candidate: "tsgun .mjs", baseline: "cluster", as: "ratio", most: 1.3 },
    { candidate: "tsgun .ts", baseline: "cluster", as: "ratio", most: 1.5 },
    { candidate: "tsgun .mjs", baseline: "cluster", figure: "time", as: "ratio", most: 1.3 },
    { candidate: "tsgun .ts", baseline: "cluster", figure: "time", as: "ratio", most: 1.5 },
  ],
});

export const START: readonly Scenario[] = [start(1), start(4)];
