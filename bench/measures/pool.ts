/** A pool whose workers answer `/pid` with their process ids. */
import { setTimeout as delay } from "node:timers/promises";
import { ask, untilAnswering } from "../lib/answer.ts";
import type { Running } from "../lib/running.ts";

const REQUEST = { path: "/pid" };
/** Limit for every worker to have answered once. */
const READY_MS = 20_000;
/** Asked at once, so that no worker takes them all. */
const AT_ONCE = 16;
/** Time in which a pool finishes what it does after its start. */
const SETTLE_MS = 500;

/** Waits until each worker has answered: before that, what is measured is the start of the pool. */
export async function untilAllAnswer({ name, address, program }: Running, workers: number): Promise<void> {
  await untilAnswering(program, address, REQUEST);
  const seen = new Set<string>();
  const end = performance.now() + READY_MS;
  while (seen.size < workers) {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => ask(address, REQUEST)));
    for (const { text } of answers) seen.add(text);
    if (performance.now() > end)
      throw new Error(`${name}: ${seen.size} of ${workers} workers answered in ${READY_MS / 1000} s`);
  }
  await delay(SETTLE_MS);
}
