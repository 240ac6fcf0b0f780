/** Wires the figures to the parts of the arbiter. */
import type { Config } from "../../config/settings.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { Pool } from "../pool/pool.ts";
import type { Listeners } from "../sockets/listeners.ts";
import type { Predecessor } from "../upgrade/handover.ts";
import type { Upgrade } from "../upgrade/upgrade.ts";
import type { WorkerProcesses } from "../workers/worker-processes.ts";
import { Scoreboard } from "./scoreboard.ts";
import { Stats } from "./stats.ts";

export interface StatsParts {
  readonly startConfig: Pick<Config, "metrics">;
  readonly predecessor: Predecessor | undefined;
  readonly log: ErrorLog;
  readonly pool: Pool;
  readonly workerProcesses: WorkerProcesses;
  readonly upgrade: Upgrade;
  readonly listeners: Listeners;
}

/** @param parts the scoreboard is made of the first three at once; the others need not exist yet */
export function makeStats(parts: StatsParts): Stats {
  const { startConfig, predecessor, log } = parts;
  return new Stats({
    pool: () => parts.pool,
    board: new Scoreboard(startConfig.metrics, predecessor?.scoreboard, (message) => log.warning(message)),
    pidOf: (id) => parts.workerProcesses.pidOf(id),
    isLeaving: () => parts.upgrade.isLeaving,
    listeners: () => parts.listeners.listeners,
  });
}
