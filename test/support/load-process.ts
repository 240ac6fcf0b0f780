/**
 * The load as a process of its own, for another network than the test's: `RemoteLoad` starts it. The first message says
 * what to do, a second one to stop; until then it tells how far it is.
 */

import { headerOf } from "./answer-reader.ts";
import { mirrored } from "./exchanges.ts";
import { Load, type LoadOptions } from "./load.ts";
import type { LoadOrder, LoadState } from "./remote-load.ts";

const TELL_EVERY_MS = 20;

/** Counts the right answers by who gave them. */
const answers: Record<string, number> = {};

function begin({ target, clients, rate, timeout }: LoadOrder): Load {
  const shape = mirrored();
  const make: LoadOptions["make"] = (number, mode) => {
    const exchange = shape(number, mode);
    return {
      ...exchange,
      check: (answer) => {
        const fault = exchange.check(answer);
        const who = `${headerOf(answer, "x-host")} ${headerOf(answer, "x-release")}`;
        if (fault === undefined) answers[who] = (answers[who] ?? 0) + 1;
        return fault;
      },
    };
  };
  return new Load(target, { mode: "keep-alive", make, clients, rate, timeout });
}

function tell(load: Load, then: () => void = () => {}): void {
  const { counts, failed, failures } = load;
  const state: LoadState = { counts, failed, failures, answers };
  process.send?.(state, then);
}

process.once("message", (order: LoadOrder) => {
  const load = begin(order);
  const telling = setInterval(() => tell(load), TELL_EVERY_MS);
  process.once("message", async () => {
    await load.stop();
    clearInterval(telling);
    tell(load, () => process.disconnect());
  });
});
process.once("disconnect", () => process.exit());
