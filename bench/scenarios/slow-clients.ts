/** A thousand slow clients of one worker: how late the others are answered. */
import type { Goal, Scenario } from "../lib/scenario.ts";
import { type SlowKind, slowClients } from "../measures/slow-clients.ts";

const GOALS: readonly Goal[] = ["tsgun", "tsgun-listener"].flatMap((candidate): Goal[] => [
  { candidate, figure: "growth", as: "value", most: 2 },
  { candidate, figure: "failed", as: "value", most: 0 },
]);

function row(kind: SlowKind, what: string): Scenario {
  return {
    name: `slow-${kind}`,
    what: `1000 clients that are slow with ${what}: how late others are answered, a connection each`,
    launch: { app: "routes", workers: 1 },
    entries: ["tsgun", "tsgun-listener", "node", "gunicorn-threads"],
    measure: slowClients(kind),
    goals: GOALS,
    rounds: 2,
    seconds: 10,
  };
}

export const SLOW_CLIENTS: readonly Scenario[] = [
  row("heads", "a request head"),
  row("bodies", "a request body"),
  row("readers", "reading a response"),
];
