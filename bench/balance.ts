/**
 * `npm run bench:balance`: how evenly kept connections spread over the workers. 64 connections come in a burst, or one
 * every 5 ms, and each asks every 20 ms. Prints for each round the connections at the end and the answers of each
 * worker, the most to the fewest answers, how often a client had to connect again, and the milliseconds that first
 * answers took. Last comes the median of the rounds' ratios.
 *
 *   npm run bench:balance -- [--rounds 5] [--seconds 4] [--connections 64] [--workers 4] [--gaps 0,5]
 *     [--servers gateway,listener,adopted,cluster] [--builds .,../other]
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KeptClient, type Tally } from "./balance/client.ts";
import { percentile, serverArguments } from "./balance/servers.ts";
import { startCandidate } from "./candidate.ts";
import { median } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "64" },
    workers: { type: "string", default: "4" },
    gaps: { type: "string", default: "0,5" },
    servers: { type: "string", default: "gateway,listener,adopted,cluster" },
    builds: { type: "string", default: "." },
  },
});

const PACE_MS = 20;
const { workers } = values;

async function round(port: number, gapMs: number): Promise<{ ratio: number; line: string }> {
  const tally: Tally = { answers: new Map(), firstAnswers: [], reconnects: 0 };
  const clients: KeptClient[] = [];
  for (let count = 0; count < Number(values.connections); count += 1) {
    clients.push(new KeptClient(port, PACE_MS, tally));
    if (gapMs > 0) await delay(gapMs);
  }
  await delay(Number(values.seconds) * 1000);
  const held = new Map<number, number>();
  for (const { worker } of clients) held.set(worker, (held.get(worker) ?? 0) + 1);
  for (const client of clients) client.end();
  const answers = Array.from(
    { length: Number(workers) },
    (_, index) => [...tally.answers.values()][index] ?? 0,
  );
  const ratio = Math.max(...answers) / Math.min(...answers);
  const first = tally.firstAnswers.sort((a, b) => a - b);
  const times = [0.5, 0.99].map((share) => percentile(first, share).toFixed(1)).join(" / ");
  const spread = (counts: Iterable<number>): string => [...counts].sort((a, b) => b - a).join(" ");
  const line = `${spread(held.values()).padEnd(16)}${spread(answers).padEnd(26)}${ratio.toFixed(2).padStart(6)}${String(tally.reconnects).padStart(6)}   ${times}`;
  return { ratio, line };
}

async function measure(server: string, build: string, gapMs: number): Promise<void> {
  const name = build === "." || server === "cluster" ? server : `${server} of ${build}`;
  console.log(`\n${name}, ${gapMs === 0 ? "in a burst" : `${gapMs} ms apart`}`);
  const ratios: number[] = [];
  for (let count = 0; count < Number(values.rounds); count += 1) {
    // A server of its own for each round: what the last one left behind must not help.
    const candidate = await startCandidate({ name, args: serverArguments(server, build, workers) }, "0,1");
    try {
      await delay(500);
      const { ratio, line } = await round(Number(new URL(candidate.url).port), gapMs);
      ratios.push(ratio);
      console.log(`  ${line}`);
    } finally {
      await candidate.stop();
    }
  }
  console.log(`  median ratio ${median(ratios).toFixed(2)}, worst ${Math.max(...ratios).toFixed(2)}`);
}

console.log(
  `node ${process.version}, ${values.connections} connections on ${workers} workers, each asks every ${PACE_MS} ms for ${values.seconds} s`,
);
console.log("columns: connections; answers; ratio; reconnects; first answers in ms, p50 / p99");
for (const gap of values.gaps.split(",").map(Number)) {
  for (const server of values.servers.split(",")) {
    for (const build of server === "cluster" ? ["."] : values.builds.split(","))
      await measure(server, build, gap);
  }
}
