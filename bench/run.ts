/**
 * `npm run bench`: compares our engine with node:http in one run. Each server is pinned to core 0 and the load
 * generator (wrk) to core 1. The servers take turns, so that a change of the machine's speed affects both; compare
 * the ratio. CPU time is that of all processes of a server.
 *
 *   npm run bench -- [--rounds 5] [--seconds 4] [--connections 64]
 */
import type { CandidateSpec } from "./candidate.ts";
import { compare, loadOptions, ratio } from "./load.ts";

const BASELINE = "node:http";

const CANDIDATES: CandidateSpec[] = [
  { name: BASELINE, args: ["bench/node-http.mjs", "PORT"] },
  {
    name: "tsgun",
    args: ["dist/cli/main.js", "examples/hello/app.ts:handler", "--workers", "1", "--bind", "127.0.0.1:PORT"],
  },
];

const costs = await compare(CANDIDATES, loadOptions());
console.log(`\n${ratio(costs, "tsgun", BASELINE)}`);
