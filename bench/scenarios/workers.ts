/** How connections spread over workers, a blocked worker, and memory at rest. */
import type { Scenario } from "../lib/scenario.ts";
import { balance } from "../measures/balance.ts";
import { BLOCKED } from "../measures/blocked.ts";
import { IDLE_WORKERS, KEPT_CONNECTIONS } from "../measures/memory.ts";

const spread = (name: string, what: string, gapMs: number): Scenario => ({
  name,
  what: `64 kept connections ${what} on 4 workers: the answers of the busiest worker to those of the idlest`,
  launch: { app: "routes", workers: 4, keepAlive: 60 },
  entries: ["cluster", "tsgun", "tsgun-listener"],
  rounds: 3,
  seconds: 4,
  measure: balance({ connections: 64, gapMs }),
  goals: ["tsgun", "tsgun-listener"].map((candidate) => ({ candidate, as: "value", most: 1.3 })),
});

export const WORKERS: readonly Scenario[] = [
  spread("balance-burst", "in a burst", 0),
  spread("balance-spaced", "5 ms apart", 5),
  {
    name: "blocked",
    what: "new connections while one of 2 workers is blocked for 3 s",
    launch: { app: "routes", workers: 2, keepAlive: 60 },
    entries: ["cluster", "tsgun", "tsgun-listener"],
    rounds: 3,
    seconds: 3,
    measure: BLOCKED,
    goals: ["tsgun", "tsgun-listener"].map((candidate) => ({ candidate, as: "value", most: 2 })),
  },
  {
    name: "idle-worker",
    what: "memory of an idle worker, of two",
    launch: { app: "hello", workers: 2 },
    entries: ["cluster", "tsgun", "tsgun-listener"],
    rounds: 3,
    measure: IDLE_WORKERS,
    goals: [{ candidate: "tsgun", baseline: "cluster", as: "difference", most: 10 }],
  },
  {
    name: "kept-connection",
    what: "memory of a kept idle connection",
    launch: { app: "hello", workers: 1, keepAlive: 3600, connections: 15_000 },
    entries: ["node", "tsgun", "tsgun-listener"],
    rounds: 3,
    measure: KEPT_CONNECTIONS,
    goals: [{ candidate: "tsgun", as: "value", most: 4 }],
  },
];
