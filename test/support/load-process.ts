/**
 * The load as a separate process, for another network than the test's; started by `RemoteLoad`. The first message is
 * the order, a second one stops it; until then it reports its state.
 */

import { headerOf } from "./answer-reader.ts";
import { mirrored } from "./exchanges.ts";
import { Load, type LoadOptions } from "./load.ts";
import type { LoadOrder, LoadState } from "./remote-load.ts";

const REPORT_INTERVAL_MS = 20;

/** Correct responses by host and release. */
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

function report(load: Load, then: () => void = () => {}): void {
  const { counts, failed, failures } = load;
  const state: LoadState = { counts, failed, failures, answers };
  process.send?.(state, then);
}

process.once("message", (order: LoadOrder) => {
  const load = begin(order);
  const reporting = setInterval(() => report(load), REPORT_INTERVAL_MS);
  process.once("message", async () => {
    await load.stop();
    clearInterval(reporting);
    report(load, () => process.disconnect());
  });
});
process.once("disconnect", () => process.exit());
