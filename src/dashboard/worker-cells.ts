/** A worker's row as text. */
import type { WorkerStats } from "../control/stats.ts";
import { age, bytes, count, duration, percent, rate } from "./format.ts";

/** The state of a worker in a word. */
export function stateOf(worker: WorkerStats): string {
  if (worker.isStuck) return "stuck";
  return worker.state === "ready" && worker.notReady !== null ? "not ready" : worker.state;
}

/** The cells of a worker's row after its slot, in the order of the table's heads. */
export function workerCells(worker: WorkerStats): string[] {
  const { lastExit, rates } = worker;
  return [
    String(worker.pid),
    count(worker.generation),
    stateOf(worker),
    age(worker.age),
    rate(rates.requestsPerSecond),
    count(worker.inFlight),
    worker.oldest === null ? "–" : duration(worker.oldest),
    count(worker.connections),
    duration(rates.p50),
    duration(rates.p99),
    percent(rates.errorRatio),
    percent(worker.loopUtilization),
    duration(worker.loopDelayP99),
    percent(worker.cpu),
    bytes(worker.pssBytes ?? worker.rssBytes),
    count(worker.restarts),
    lastExit === null ? "–" : `${lastExit.reason.replaceAll("_", " ")}, ${lastExit.how}`,
  ];
}
