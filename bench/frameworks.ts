/**
 * `npm run bench:frameworks`: compares Express, Fastify and Hono under tsgun with one worker and under plain node,
 * measured as in `npm run bench`. The goal: none costs more than under plain node, and Hono, which runs on our
 * engine, costs less.
 *
 *   npm run bench:frameworks -- [--rounds 5] [--seconds 4] [--connections 64]
 */
import type { CandidateSpec } from "./candidate.ts";
import { type Cost, compare, loadOptions, ratio } from "./load.ts";

const FRAMEWORKS = ["express", "fastify", "hono"];

function candidates(framework: string): CandidateSpec[] {
  const app = `bench/frameworks/${framework}.mjs`;
  const bind = ["--workers", "1", "--bind", "127.0.0.1:PORT"];
  return [
    {
      name: `${framework} node`,
      args: ["bench/frameworks/listen.mjs", framework, "PORT"],
      serverIsChild: false,
    },
    { name: `${framework} tsgun`, args: ["dist/cli/main.js", app, ...bind], serverIsChild: true },
  ];
}

const medians = await compare(FRAMEWORKS.flatMap(candidates), loadOptions());
console.log();
for (const framework of FRAMEWORKS) {
  const [node, tsgun] = [`${framework} node`, `${framework} tsgun`];
  console.log(ratio(tsgun, medians.get(tsgun) as Cost, node, medians.get(node) as Cost));
}
