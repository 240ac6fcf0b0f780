/** Turns in which each round starts a server of its own. */
import type { Turn, Values } from "../lib/scenario.ts";

/**
 * The first time, which warms the caches of files, is not counted.
 * @param once measures once; undefined if the server cannot do that
 */
export async function freshEachRound(once: () => Promise<Values | undefined>): Promise<Turn | undefined> {
  if ((await once()) === undefined) return undefined;
  return { round: async () => (await once()) as Values, close: async () => {}, abort: async () => {} };
}
