/**
 * `npm run bench:frameworks`: compares Express, Fastify and Hono under plain node, exported to tsgun, and adopted by
 * tsgun as a program that listens, each with one worker, for a GET and for a POST of JSON; measured as in
 * `npm run bench`. The goal: Express and Fastify cost at most 2% more than under plain node, and Hono, which runs on
 * our engine if it is exported, costs less.
 *
 *   npm run bench:frameworks -- [--frameworks express,fastify,hono] [--requests get,post]
 *     [--rounds 5] [--seconds 4] [--connections 64]
 */
import { parseArgs } from "node:util";
import type { CandidateSpec } from "./candidate.ts";
import { compare, LOAD_OPTIONS, loadOptions, ratio } from "./load.ts";

const BASELINE = "node";

function candidates(framework: string, request: string): CandidateSpec[] {
  const bind = ["--workers", "1", "--bind", "127.0.0.1:PORT"];
  const program = "bench/frameworks/listen.mjs";
  const common = {
    env: { FRAMEWORK: framework },
    ...(request === "post" && { script: "bench/frameworks/post-json.lua" }),
  };
  return [
    { ...common, name: BASELINE, args: [program] },
    { ...common, name: "exported", args: ["dist/cli/main.js", `bench/frameworks/${framework}.mjs`, ...bind] },
    { ...common, name: "adopted", args: ["dist/cli/main.js", program, ...bind] },
  ];
}

const { values } = parseArgs({
  options: {
    ...LOAD_OPTIONS,
    frameworks: { type: "string", default: "express,fastify,hono" },
    requests: { type: "string", default: "get,post" },
  },
});
const results: string[] = [];
for (const framework of values.frameworks.split(",")) {
  for (const request of values.requests.split(",")) {
    console.log(`\n${framework} ${request}`);
    const costs = await compare(candidates(framework, request), loadOptions(values));
    for (const name of ["exported", "adopted"]) {
      results.push(`${framework} ${request}, ${ratio(costs, name, BASELINE)}`);
    }
  }
}
console.log(`\n${results.join("\n")}`);
