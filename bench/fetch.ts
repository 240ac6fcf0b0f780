/**
 * `npm run bench:fetch`: compares Hono under tsgun with Hono under @hono/node-server on plain node, and a gateway app
 * that sends a hundred pieces with node:http. Each server is pinned to core 0 and wrk to core 1; rounds alternate, and
 * the ratio is the median of those of each pair of rounds. CPU is user and system time of all of a server's processes,
 * memory their PSS after the last round.
 *
 *   npm run bench:fetch -- [--rounds 5] [--seconds 4] [--connections 64] [--scenario text,json,post,stream,pieces]
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { type Candidate, startCandidate } from "./candidate.ts";
import { memoryOf } from "./cpu-time.ts";
import { median, requireTool } from "./measure.ts";

interface Scenario {
  readonly path: string;
  readonly wrk: readonly string[];
  readonly app: string;
  readonly baseline: string;
}

/** What nginx forwards from a browser. */
const FORWARDED = [
  "X-Real-IP: 203.0.113.7",
  "X-Forwarded-For: 203.0.113.7",
  "X-Forwarded-Proto: https",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: session=0123456789abcdef; theme=dark",
].flatMap((field) => ["-H", field]);

const HONO = { app: "bench/fetch/hono.mjs:app", baseline: "bench/fetch/hono-node.mjs" };
const PIECES = { app: "bench/fetch/pieces.mjs:handler", baseline: "bench/fetch/pieces-node.mjs" };

const SCENARIOS: { readonly [name: string]: Scenario } = {
  text: { path: "/text", wrk: [], ...HONO },
  json: { path: "/json", wrk: FORWARDED, ...HONO },
  post: { path: "/json", wrk: ["-s", "bench/fetch/post.lua"], ...HONO },
  stream: { path: "/stream", wrk: [], ...HONO },
  pieces: { path: "/", wrk: [], ...PIECES },
};

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "64" },
    scenario: { type: "string", default: Object.keys(SCENARIOS).join() },
  },
});

/** Microseconds of CPU a request, over one round. */
function round(server: Candidate, wrk: readonly string[]): number {
  const before = server.cpu();
  const load = ["-t1", `-c${values.connections}`, `-d${values.seconds}s`, ...wrk, server.url];
  const output = execFileSync("taskset", ["-c", "1", "wrk", ...load], { encoding: "utf8" });
  const used = (server.cpu() - before) / 1000;
  if (/Non-2xx/.test(output)) throw new Error(`${server.name} failed under load:\n${output}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  if (!(requests > 0)) throw new Error(`${server.name} answered nothing: is the machine busy?\n${output}`);
  return used / requests;
}

async function compare(name: string, { path, wrk, app, baseline }: Scenario): Promise<void> {
  const args = [
    "dist/cli/main.js",
    app,
    "--workers",
    "1",
    "--bind",
    "127.0.0.1:PORT",
    "--log-level",
    "warning",
  ];
  const specs = [
    { name: "tsgun", args, path },
    { name: "baseline", args: [baseline, "PORT"], path },
  ];
  const servers: Candidate[] = [];
  try {
    for (const spec of specs) servers.push(await startCandidate(spec, 0));
    const costs: [number, number][] = [];
    // The first round is a warm-up and is not counted.
    for (let count = 0; count <= Number(values.rounds); count += 1) {
      const [ours, base] = servers.map((server) => round(server, wrk)) as [number, number];
      if (count > 0) costs.push([ours, base]);
    }
    const ratios = costs.map(([ours, base]) => ours / base);
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    const memory = servers.map(({ pid }) => (memoryOf(pid) / 2 ** 20).toFixed(0).padStart(6));
    const columns = [0, 1].map((side) =>
      median(costs.map((cost) => cost[side] as number))
        .toFixed(1)
        .padStart(10),
    );
    console.log(
      `${name.padEnd(10)}${columns.join("")}${median(ratios).toFixed(2).padStart(8)}  ${range.padEnd(14)}${memory.join("")}`,
    );
  } finally {
    for (const server of servers) await server.stop();
  }
}

requireTool("wrk", "wrk");
requireTool("taskset", "util-linux");
console.log(
  `node ${process.version}, ${values.connections} connections, ${values.rounds} rounds of ${values.seconds} s, server on core 0, wrk on core 1\n`,
);
console.log("scenario   CPU µs a request: tsgun, baseline, ratio, its range; PSS in MB");
for (const name of values.scenario.split(",")) {
  const scenario = SCENARIOS[name];
  if (scenario === undefined)
    throw new Error(`no scenario ${name}; there are: ${Object.keys(SCENARIOS).join(", ")}`);
  await compare(name, scenario);
}
