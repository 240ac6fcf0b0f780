/**
 * `npm run bench:start`: milliseconds from the start of the command to the first response, for tsgun and for a
 * hand-written pool on node:cluster. Servers are pinned to the cores given, this program to core 1. They take turns;
 * compare the medians of the rounds and the ratio to the baseline. The CPU time that all processes have used until
 * then is printed as well, because a busy machine distorts it less.
 *
 *   npm run bench:start -- [--rounds 15] [--workers 1,4] [--cores 0]
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "../test/support/free-port.ts";
import { cpuOf } from "./cpu-time.ts";
import { median, requireTool } from "./measure.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    workers: { type: "string", default: "1,4" },
    cores: { type: "string", default: "0" },
  },
});

const BASELINE = "node:cluster";

/** Limit for the first response. */
const START_TIMEOUT_MS = 10_000;

interface Contender {
  readonly name: string;
  /** Arguments to node. */
  args(port: number, workers: number): string[];
}

const CONTENDERS: readonly Contender[] = [
  { name: BASELINE, args: (port, workers) => ["bench/node-cluster.mjs", `${port}`, `${workers}`] },
  {
    name: "tsgun .mjs",
    args: (port, workers) => tsgun("bench/apps/hello/gateway.mjs:handler", port, workers),
  },
  { name: "tsgun .ts", args: (port, workers) => tsgun("bench/apps/hello/gateway.ts:handler", port, workers) },
];

function tsgun(app: string, port: number, workers: number): string[] {
  return ["dist/cli/main.js", app, "--workers", `${workers}`, "--bind", `127.0.0.1:${port}`];
}

/** Whether the server sends a complete response; false while it does not listen yet. */
function responds(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    });
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text;
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () =>
      resolve(answer.startsWith("HTTP/1.1 200 ") && answer.includes("Hello, world\n")),
    );
  });
}

/** Cost of a start up to the first response, in milliseconds. */
interface Start {
  readonly time: number;
  /** CPU time of all processes and threads alive by then. */
  readonly cpu: number;
}

/** Starts a server and stops it. It has exited when this resolves. */
async function startOnce(contender: Contender, workers: number): Promise<Start> {
  const port = await freePort();
  const command = ["-c", options.cores, process.execPath, ...contender.args(port, workers)];
  const started = performance.now();
  const child = spawn("taskset", command, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "exit");
  try {
    while (!(await responds(port))) {
      if (child.exitCode !== null || performance.now() - started > START_TIMEOUT_MS)
        throw new Error(`${contender.name} does not answer:\n${stderr}`);
      await delay(1);
    }
    const time = performance.now() - started;
    return { time, cpu: cpuOf(child.pid as number) / 1e6 };
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** Milliseconds that Node takes to start and exit with nothing to do: the cost of a process on this machine. */
async function bareNode(): Promise<number> {
  const command = ["-c", options.cores, process.execPath, "-e", "0"];
  const started = performance.now();
  await once(spawn("taskset", command, { stdio: "ignore" }), "exit");
  return performance.now() - started;
}

async function compare(workers: number): Promise<void> {
  const starts = new Map<string, Start[]>(CONTENDERS.map(({ name }) => [name, []]));
  const bare: number[] = [];
  // The first round warms the file system caches and is not counted.
  for (let round = 0; round <= Number(options.rounds); round += 1) {
    const node = await bareNode();
    if (round > 0) bare.push(node);
    for (const contender of CONTENDERS) {
      const start = await startOnce(contender, workers);
      if (round > 0) starts.get(contender.name)?.push(start);
    }
  }
  const heads = ["median ms", "fastest", "ratio", "CPU ms", "ratio"].map((head) => head.padStart(11));
  console.log(`\n${(workers === 1 ? "1 worker" : `${workers} workers`).padEnd(14)}${heads.join("")}`);
  console.log(line("node -e 0", [median(bare), Math.min(...bare)]));
  const figures = (all: readonly Start[] = []): { time: number; fastest: number; cpu: number } => ({
    time: median(all.map((start) => start.time)),
    fastest: Math.min(...all.map((start) => start.time)),
    cpu: median(all.map((start) => start.cpu)),
  });
  const base = figures(starts.get(BASELINE));
  for (const [name, all] of starts) {
    const { time, fastest, cpu } = figures(all);
    console.log(line(name, [time, fastest, time / base.time, cpu, cpu / base.cpu]));
  }
}

/** Prints milliseconds as whole numbers and ratios with two digits. */
function line(name: string, values: readonly number[]): string {
  const columns = values.map((value, index) =>
    value.toFixed(index === 2 || index === 4 ? 2 : 0).padStart(11),
  );
  return name.padEnd(14) + columns.join("");
}

requireTool("taskset", "util-linux");
execFileSync("taskset", ["-cp", "1", `${process.pid}`]);
console.log(
  `node ${process.version}, from the start of the command to the first answer, ${options.rounds} rounds, ` +
    `servers on core ${options.cores}`,
);
for (const workers of options.workers.split(",")) await compare(Number(workers));
