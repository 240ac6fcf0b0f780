/**
 * `npm run bench`: compares our engine with node:http in one run. Each server is pinned to core 0 and the load
 * generator (wrk) to core 1. The servers take turns; compare the medians of the rounds and their ratio. CPU time
 * is that of the server process, from /proc.
 *
 *   npm run bench -- [--rounds 5] [--seconds 4] [--connections 64]
 */
import type { CandidateSpec } from "./candidate.ts";
import { type Cost, compare, loadOptions, ratio } from "./load.ts";

const BASELINE = "node:http";

const CANDIDATES: CandidateSpec[] = [
  { name: BASELINE, args: ["bench/node-http.mjs", "PORT"], serverIsChild: false },
  {
    name: "tsgun",
    args: ["dist/cli/main.js", "examples/hello/app.ts:handler", "--workers", "1", "--bind", "127.0.0.1:PORT"],
    serverIsChild: true,
  },
];

const medians = await compare(CANDIDATES, loadOptions());
const base = medians.get(BASELINE) as Cost;
for (const [name, cost] of medians) {
  if (name !== BASELINE) console.log(`\n${ratio(name, cost, BASELINE, base)}`);
}
