/**
 * How evenly kept connections spread over the workers: each asks every 20 ms, and the answers of each worker are
 * counted. Servers have both cores: what happens depends on which worker runs when a connection comes.
 */
import { setTimeout as delay } from "node:timers/promises";
import { start } from "../lib/running.ts";
import type { Candidate, Measure, MeasureOptions, Values } from "../lib/scenario.ts";
import { percentile } from "../lib/statistics.ts";
import { freshEachRound } from "./fresh.ts";
import { KeptClient, newTally } from "./kept-client.ts";
import { untilAllAnswer } from "./pool.ts";

const PACE_MS = 20;

export interface BalanceOptions {
  readonly connections: number;
  /** Milliseconds from one connection to the next; 0: all at once. */
  readonly gapMs: number;
}

async function spread(
  { connections, gapMs }: BalanceOptions,
  { name, server, launch }: Candidate,
  { seconds, cores }: MeasureOptions,
): Promise<Values | undefined> {
  const running = await start(server, name, launch, { core: cores?.both });
  if (running === undefined) return undefined;
  const clients: KeptClient[] = [];
  try {
    const port = running.address as number;
    await untilAllAnswer(running, launch.workers);
    const tally = newTally();
    for (let count = 0; count < connections; count += 1) {
      clients.push(new KeptClient(port, PACE_MS, tally));
      if (gapMs > 0) await delay(gapMs);
    }
    await delay(seconds * 1000);
    const answers = [...tally.answers.values()];
    // A worker without any answer counts as one that gave one.
    const fewest = answers.length < launch.workers ? 1 : Math.min(...answers);
    return {
      unevenness: Math.max(...answers) / fewest,
      reconnects: tally.reconnects,
      first: percentile(tally.firstAnswers, 0.99),
    };
  } finally {
    for (const client of clients) client.end();
    await running.stop();
  }
}

/** Each round has a server of its own: what an earlier one left behind must not help. */
export function balance(settings: BalanceOptions): Measure {
  return {
    figures: [
      { key: "unevenness", head: "most / fewest", digits: 2 },
      { key: "reconnects", head: "reconnects", digits: 0 },
      { key: "first", head: "p99 of first answers, ms", digits: 1 },
    ],
    open: (candidate, options) =>
      freshEachRound(() => spread(settings, candidate, options), { warms: false }),
  };
}
