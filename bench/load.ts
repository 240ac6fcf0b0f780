/** Measures the cost of requests: servers take turns under the same load (wrk, pinned to core 1). */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { type Candidate, type CandidateSpec, startCandidate } from "./candidate.ts";
import { median, requireTool } from "./measure.ts";

/** The 11 header fields (with Host) that nginx forwards from a browser. */
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

/** Requests per second, and microseconds of CPU per request. */
export interface Cost {
  readonly rate: number;
  readonly user: number;
  readonly system: number;
}

/** Parses the load options of the command line. */
export function loadOptions(): { rounds: number; seconds: number; connections: number } {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "4" },
      connections: { type: "string", default: "64" },
    },
  });
  return {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    connections: Number(values.connections),
  };
}

type LoadOptions = ReturnType<typeof loadOptions>;

function measure(candidate: Candidate, options: LoadOptions): Cost {
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

function line(name: string, { rate, user, system }: Cost): string {
  const columns = [rate.toFixed(0), user.toFixed(2), system.toFixed(2), (user + system).toFixed(2)];
  return `${name.padEnd(16)}${columns.map((column) => column.padStart(12)).join("")}`;
}

/**
 * Starts the candidates on core 0, measures them in turns, prints every round and the medians, and returns the
 * medians by name. Stops all candidates.
 */
export async function compare(
  specs: readonly CandidateSpec[],
  options: LoadOptions,
): Promise<ReadonlyMap<string, Cost>> {
  requireTool("wrk", "wrk");
  requireTool("taskset", "util-linux");
  const candidates: Candidate[] = [];
  const rounds = new Map<string, Cost[]>(specs.map(({ name }) => [name, []]));
  try {
    for (const spec of specs) candidates.push(await startCandidate(spec, 0));
    console.log(heading(options));
    // The first round is a warm-up and is not counted.
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const candidate of candidates) {
        const cost = measure(candidate, options);
        if (round === 0) continue;
        rounds.get(candidate.name)?.push(cost);
        console.log(line(candidate.name, cost));
      }
    }
  } finally {
    for (const candidate of candidates) await candidate.stop();
  }
  const medians = new Map([...rounds].map(([name, costs]) => [name, medianOf(costs)]));
  console.log("\nmedians");
  for (const [name, cost] of medians) console.log(line(name, cost));
  return medians;
}

function medianOf(costs: readonly Cost[]): Cost {
  return {
    rate: median(costs.map((cost) => cost.rate)),
    user: median(costs.map((cost) => cost.user)),
    system: median(costs.map((cost) => cost.system)),
  };
}

function heading({ connections, rounds, seconds }: LoadOptions): string {
  const heads = ["req/s", "user µs", "system µs", "CPU µs"].map((head) => head.padStart(12)).join("");
  return (
    `node ${process.version}, hello with ${HEADERS.length + 1} request headers, keep-alive,\n` +
    `${connections} connections, server on core 0, wrk on core 1, ${rounds} rounds of ${seconds} s\n\n` +
    `${"".padEnd(16)}${heads}`
  );
}

/** The cost relative to the baseline, in words. */
export function ratio(name: string, cost: Cost, baseName: string, base: Cost): string {
  const rate = (cost.rate / base.rate).toFixed(2);
  const cpu = ((cost.user + cost.system) / (base.user + base.system)).toFixed(2);
  return `${name} against ${baseName}: ${rate} times the requests per second, ${cpu} of the CPU per request`;
}
