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

/** What one round has shown. */
interface Cost {
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds of CPU per request. */
  readonly cpu: number;
}

/** The rounds of each candidate by its name. */
export type Costs = ReadonlyMap<string, readonly Cost[]>;

/** Compiled code is stable after about as much CPU time under load, in nanoseconds. */
const WARM_UP_CPU = 2e9;

/** The load options of the command line. */
export const LOAD_OPTIONS = {
  rounds: { type: "string", default: "5" },
  seconds: { type: "string", default: "4" },
  connections: { type: "string", default: "64" },
} as const;

interface LoadOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

export function loadOptions(
  values: { readonly [Name in keyof LoadOptions]: string } = parseArgs({ options: LOAD_OPTIONS }).values,
): LoadOptions {
  const { rounds, seconds, connections } = values;
  return { rounds: Number(rounds), seconds: Number(seconds), connections: Number(connections) };
}

function measure(candidate: Candidate, connections: number, seconds: number): Cost {
  const before = candidate.cpu();
  const headers = HEADERS.flatMap((header) => ["-H", header]);
  const script = candidate.script === undefined ? [] : ["-s", candidate.script];
  // On a busy machine a request may wait for long, which says nothing about its cost.
  const load = [
    "-t1",
    "--timeout=60s",
    `-c${connections}`,
    `-d${seconds}s`,
    ...script,
    ...headers,
    candidate.url,
  ];
  const output = execFileSync("taskset", ["-c", "1", "wrk", ...load], { encoding: "utf8" });
  const after = candidate.cpu();
  if (/Non-2xx|Socket errors/.test(output))
    throw new Error(`${candidate.name} failed under load:\n${output}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    cpu: (after - before) / requests / 1000,
  };
}

function line(name: string, { rate, cpu }: Cost): string {
  return `${name.padEnd(24)}${rate.toFixed(0).padStart(12)}${cpu.toFixed(2).padStart(12)}`;
}

/** Starts the candidates on core 0, measures them in turns, prints every round and the medians, and stops them. */
export async function compare(specs: readonly CandidateSpec[], options: LoadOptions): Promise<Costs> {
  requireTool("wrk", "wrk");
  requireTool("taskset", "util-linux");
  const { rounds, seconds, connections } = options;
  const candidates: Candidate[] = [];
  const costs = new Map<string, Cost[]>(specs.map(({ name }) => [name, []]));
  try {
    for (const spec of specs) candidates.push(await startCandidate(spec, 0));
    console.log(heading(options));
    for (const candidate of candidates) {
      const warm = candidate.cpu() + WARM_UP_CPU;
      while (candidate.cpu() < warm) measure(candidate, connections, seconds);
    }
    for (let round = 0; round < rounds; round += 1) {
      // Every other round backwards: none is always measured before another.
      for (const candidate of round % 2 === 0 ? candidates : candidates.toReversed()) {
        const cost = measure(candidate, connections, seconds);
        costs.get(candidate.name)?.push(cost);
        console.log(line(candidate.name, cost));
      }
    }
  } finally {
    for (const candidate of candidates) await candidate.stop();
  }
  console.log("\nmedians");
  for (const [name, all] of costs) {
    console.log(line(name, { rate: medianOf(all, "rate"), cpu: medianOf(all, "cpu") }));
  }
  return costs;
}

function medianOf(costs: readonly Cost[], figure: keyof Cost): number {
  return median(costs.map((cost) => cost[figure]));
}

function heading({ connections, rounds, seconds }: LoadOptions): string {
  const heads = ["req/s", "CPU µs"].map((head) => head.padStart(12)).join("");
  return (
    `node ${process.version}, hello with ${HEADERS.length + 1} request headers, keep-alive,\n` +
    `${connections} connections, server on core 0, wrk on core 1, ${rounds} rounds of ${seconds} s\n\n` +
    `${"".padEnd(24)}${heads}`
  );
}

/** The cost relative to the baseline, in words: the medians of the ratios of each round, which are close in time. */
export function ratio(costs: Costs, name: string, baseName: string): string {
  const base = costs.get(baseName) as readonly Cost[];
  const ratios = (figure: keyof Cost): number[] =>
    (costs.get(name) as readonly Cost[]).map((cost, round) => cost[figure] / (base[round] as Cost)[figure]);
  const cpu = ratios("cpu").sort((a, b) => a - b);
  const quartile = (part: number): string => (cpu[Math.floor((cpu.length - 1) * part)] as number).toFixed(3);
  return (
    `${name} against ${baseName}: ${median(ratios("rate")).toFixed(2)} times the requests per second, ` +
    `${median(cpu).toFixed(3)} of the CPU per request (half of the rounds: ${quartile(0.25)} to ${quartile(0.75)})`
  );
}
