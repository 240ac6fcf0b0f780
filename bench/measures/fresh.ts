/** Turns in which each round starts a server of its own. */
import type { Turn, Values } from "../lib/scenario.ts";

/**
 * @param once measures once; undefined if the server cannot do that
 * @param warms whether the first time only warms the caches of files; otherwise it is the first round
 */
export async function freshEachRound(
  once: () => Promise<Values | undefined>,
  { warms }: { readonly warms: boolean },
): Promise<Turn | undefined> {
  let first = await once();
  if (first === undefined) return undefined;
  if (warms) first = undefined;
  return {
    async round() {
      const values = first ?? (await once());
      first = undefined;
      return values as Values;
    },
    close: async () => {},
    abort: async () => {},
  };
}
