/**
 * `npm run bench:blocked`: how long new connections wait while one of the workers is blocked. Opens a connection for
 * each request, one (or a burst) every few milliseconds, with no worker blocked and with one blocked all the time, in turns, beside
 * some kept connections that ask as well. Prints p50, p99 and the longest of the first answers, and the ratio of the
 * p99s. Connections that the blocked worker had accepted wait for it: they are not new, and counted apart.
 *
 *   npm run bench:blocked -- [--rounds 5] [--seconds 3] [--workers 2] [--gap 5] [--burst 1] [--kept 16]
 *     [--servers gateway,listener,adopted,cluster] [--builds .,../other]
 */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KeptClient, type Tally } from "./balance/client.ts";
import { percentile, serverArguments } from "./balance/servers.ts";
import { startCandidate } from "./candidate.ts";
import { median } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    workers: { type: "string", default: "2" },
    gap: { type: "string", default: "5" },
    burst: { type: "string", default: "1" },
    kept: { type: "string", default: "16" },
    servers: { type: "string", default: "gateway,listener,adopted,cluster" },
    builds: { type: "string", default: "." },
  },
});

const KEPT_PACE_MS = 50;
const SECONDS = Number(values.seconds);

/** Milliseconds until the answer on a connection of its own. */
function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`),
    );
    socket.once("data", () => resolve(performance.now() - startedAt));
    socket.on("error", reject);
  });
}

interface Waits {
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** Connections that waited for the end of the block. */
  readonly caught: number;
}

async function waits(port: number, isBlocked: boolean): Promise<Waits> {
  const blocked = isBlocked ? ask(port, `/block/${SECONDS * 1000}`) : undefined;
  const times: Promise<number>[] = [];
  const end = performance.now() + SECONDS * 1000 - 500;
  await delay(20);
  while (performance.now() < end) {
    for (let count = 0; count < Number(values.burst); count += 1) times.push(ask(port, "/"));
    await delay(Number(values.gap));
  }
  const sorted = (await Promise.all(times)).sort((a, b) => a - b);
  await blocked;
  const caught = sorted.filter((time) => time > 400).length;
  return {
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    longest: sorted.at(-1 - caught) ?? Number.NaN,
    caught,
  };
}

async function measure(server: string, build: string): Promise<void> {
  const name = build === "." || server === "cluster" ? server : `${server} of ${build}`;
  console.log(`\n${name}`);
  const args = serverArguments(server, build, values.workers);
  const candidate = await startCandidate({ name, args }, "0,1");
  const port = Number(new URL(candidate.url).port);
  const tally: Tally = { answers: new Map(), firstAnswers: [], reconnects: 0 };
  const clients = Array.from(
    { length: Number(values.kept) },
    () => new KeptClient(port, KEPT_PACE_MS, tally),
  );
  try {
    await delay(1000);
    const ratios: number[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const free = await waits(port, false);
      const blocked = await waits(port, true);
      ratios.push(blocked.p99 / free.p99);
      const text = ({ p50, p99, longest }: Waits): string =>
        [p50, p99, longest].map((time) => time.toFixed(1).padStart(7)).join("");
      console.log(
        `  free${text(free)}   blocked${text(blocked)}   p99 ratio ${(ratios.at(-1) ?? 0).toFixed(2)}, caught ${blocked.caught}`,
      );
    }
    console.log(`  median ratio ${median(ratios).toFixed(2)}, worst ${Math.max(...ratios).toFixed(2)}`);
  } finally {
    for (const client of clients) client.end();
    await candidate.stop();
  }
}

console.log(
  `node ${process.version}, ${values.workers} workers, one blocked for ${SECONDS} s; ${values.burst} new connection(s) every ${values.gap} ms, ${values.kept} kept ones`,
);
console.log("columns: p50, p99, longest in ms");
for (const server of values.servers.split(",")) {
  for (const build of server === "cluster" ? ["."] : values.builds.split(",")) await measure(server, build);
}
