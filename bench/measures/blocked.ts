/**
 * How long new connections wait while one of the workers is blocked: a connection for each request, one every few
 * milliseconds, first with no worker blocked and then with one blocked all the time, beside some kept connections.
 */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Running, start } from "../lib/running.ts";
import { type Measure, prepared, type Turn, type Values } from "../lib/scenario.ts";
import { percentile } from "../lib/statistics.ts";
import { KeptClient, newTally } from "./kept-client.ts";
import { untilAllAnswer } from "./pool.ts";

const GAP_MS = 5;
const KEPT = 16;
const KEPT_PACE_MS = 50;
const SETTLE_MS = 1000;
/** No new connection in this time before the block ends, so that none is answered because of the end. */
const TAIL_MS = 500;

/** Milliseconds until the answer on a connection of its own. */
function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`),
    );
    socket.once("data", () => resolve(performance.now() - startedAt));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`it closed a connection without an answer to ${path}`)));
  });
}

/** The p99 of new connections over some seconds, and how many waited for the end of the block. */
async function waits(
  port: number,
  seconds: number,
  isBlocked: boolean,
): Promise<{ p99: number; caught: number }> {
  const blocked = isBlocked ? ask(port, `/block?${seconds * 1000}`) : undefined;
  const times: Promise<number>[] = [];
  // Failures show below, when all are awaited.
  blocked?.catch(() => {});
  const end = performance.now() + seconds * 1000 - TAIL_MS;
  await delay(20);
  while (performance.now() < end) {
    const time = ask(port, "/pid");
    time.catch(() => {});
    times.push(time);
    await delay(GAP_MS);
  }
  const all = await Promise.all(times);
  await blocked;
  return { p99: percentile(all, 0.99), caught: all.filter((time) => time > TAIL_MS).length };
}

class BlockedPool implements Turn {
  readonly #server: Running;
  readonly #seconds: number;
  readonly #clients: KeptClient[] = [];

  constructor(server: Running, seconds: number) {
    this.#server = server;
    this.#seconds = seconds;
  }

  async prepare(workers: number): Promise<void> {
    const port = this.#server.address as number;
    await untilAllAnswer(this.#server, workers);
    const tally = newTally();
    for (let count = 0; count < KEPT; count += 1)
      this.#clients.push(new KeptClient(port, KEPT_PACE_MS, tally));
    await delay(SETTLE_MS);
  }

  async round(): Promise<Values> {
    const port = this.#server.address as number;
    const free = await waits(port, this.#seconds, false);
    const blocked = await waits(port, this.#seconds, true);
    return { growth: blocked.p99 / free.p99, free: free.p99, blocked: blocked.p99, caught: blocked.caught };
  }

  close = (): Promise<void> => this.abort();

  async abort(): Promise<void> {
    for (const client of this.#clients) client.end();
    await this.#server.stop();
  }
}

/** Servers have both cores: a blocked worker must not take that of the other one. */
export const BLOCKED: Measure = {
  figures: [
    { key: "growth", head: "p99 blocked / free", digits: 2 },
    { key: "free", head: "free ms", digits: 1 },
    { key: "blocked", head: "blocked ms", digits: 1 },
    { key: "caught", head: "caught", digits: 0 },
  ],
  async open({ name, server, launch }, { seconds, cores }) {
    const running = await start(server, name, launch, { core: cores?.both });
    if (running === undefined) return undefined;
    return await prepared(new BlockedPool(running, seconds), launch.workers);
  },
};
