/**
 * `npm run bench`: our engine and node:http side by side in one run. Each server is pinned to core 0 and
 * the load generator (wrk) to core 1; the servers take turns, and what counts is the median of the
 * rounds and the ratio between the two. CPU time is the server's own, from /proc.
 *
 *   npm run bench -- [--rounds 5] [--seconds 4] [--connections 64]
 *
 * With `--access-log`, our engine without an access log and with one of each format, to a file:
 *
 *   npm run bench -- --access-log
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Candidate, type CandidateSpec, startCandidate } from "./candidate.ts";
import { median, requireTool } from "./measure.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "64" },
    "access-log": { type: "boolean", default: false },
  },
});

function tsgun(name: string, ...flags: string[]): CandidateSpec {
  const args = ["dist/cli/main.js", "examples/hello/app.ts:handler", "-w", "1", "-b", "127.0.0.1:PORT"];
  return { name, args: [...args, ...flags], serverIsChild: true };
}

const folder = mkdtempSync(join(tmpdir(), "tsgun-bench-"));

function logging(format: string): CandidateSpec {
  const file = join(folder, `${format}.log`);
  return tsgun(format, "--access-logfile", file, "--access-logformat", format);
}

/** The first is what the others are held against. */
const CANDIDATES: readonly CandidateSpec[] = options["access-log"]
  ? [tsgun("no log"), logging("combined"), logging("json")]
  : [{ name: "node:http", args: ["bench/node-http.mjs", "PORT"], serverIsChild: false }, tsgun("tsgun")];

const BASELINE = (CANDIDATES[0] as CandidateSpec).name;

/** The 11 header fields (with Host) that nginx passes on from a browser. */
const HEADERS = [
  "X-Real-IP: 203.0.113.7",
  "X-Forwarded-For: 203.0.113.7",
  "X-Forwarded-Proto: https",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br",
  "Referer: https://example.com/",
  "Cookie: session=0123456789abcdef; theme=dark",
  "Upgrade-Insecure-Requests: 1",
];

interface Round {
  rate: number;
  user: number;
  system: number;
}

function measure(candidate: Candidate): Round {
  const before = candidate.cpu();
  const headers = HEADERS.flatMap((header) => ["-H", header]);
  const load = ["-t1", `-c${options.connections}`, `-d${options.seconds}s`, ...headers, candidate.url];
  const output = execFileSync("taskset", ["-c", "1", "wrk", ...load], { encoding: "utf8" });
  const after = candidate.cpu();
  if (/Non-2xx|Socket errors/.test(output))
    throw new Error(`${candidate.name} failed under load:\n${output}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    user: ((after.user - before.user) / requests) * 1e6,
    system: ((after.system - before.system) / requests) * 1e6,
  };
}

function line(name: string, round: Round): string {
  const columns = [round.rate.toFixed(0), round.user.toFixed(2), round.system.toFixed(2)];
  const total = (round.user + round.system).toFixed(2);
  return `${name.padEnd(12)}${[...columns, total].map((column) => column.padStart(12)).join("")}`;
}

requireTool("wrk", "wrk");
requireTool("taskset", "util-linux");
const candidates: Candidate[] = [];
try {
  for (const spec of CANDIDATES) candidates.push(await startCandidate(spec, 0));
  const rounds = new Map<string, Round[]>(candidates.map((candidate) => [candidate.name, []]));
  console.log(`node ${process.version}, hello with ${HEADERS.length + 1} request headers, keep-alive,`);
  console.log(
    `${options.connections} connections, server on core 0, wrk on core 1, ${options.rounds} rounds of ${options.seconds} s\n`,
  );
  const heads = ["req/s", "user µs", "system µs", "CPU µs"].map((head) => head.padStart(12)).join("");
  console.log(`${"".padEnd(12)}${heads}`);
  // The first round warms both up and is not counted.
  for (let round = 0; round <= Number(options.rounds); round += 1) {
    for (const candidate of candidates) {
      const result = measure(candidate);
      if (round === 0) continue;
      rounds.get(candidate.name)?.push(result);
      console.log(line(candidate.name, result));
    }
  }
  const medians = new Map(
    [...rounds].map(([name, results]) => [
      name,
      {
        rate: median(results.map((result) => result.rate)),
        user: median(results.map((result) => result.user)),
        system: median(results.map((result) => result.system)),
      },
    ]),
  );
  console.log("\nmedians");
  for (const [name, result] of medians) console.log(line(name, result));
  const base = medians.get(BASELINE) as Round;
  for (const [name, result] of medians) {
    if (name === BASELINE) continue;
    const rate = (result.rate / base.rate).toFixed(2);
    const cpu = ((result.user + result.system) / (base.user + base.system)).toFixed(2);
    console.log(
      `\n${name} against ${BASELINE}: ${rate} times the requests per second, ${cpu} of the CPU per request`,
    );
  }
} finally {
  for (const candidate of candidates) await candidate.stop();
  rmSync(folder, { recursive: true });
}
