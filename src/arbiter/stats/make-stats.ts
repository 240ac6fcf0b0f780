/** Wires the figures to the parts of the arbiter. */
import type { Config } from "../../config/settings.ts";
import { loadLate } from "../../control/late-load.ts";
import type { StatsReport } from "../../control/stats.ts";
import type { Measured } from "../../control/stats-routes.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { WORKER_METRICS } from "../../scoreboard/metrics.ts";
import { seriesKey } from "../../scoreboard/series-key.ts";
import type { ControlCommands } from "../control/control-commands.ts";
import type { Pool } from "../pool/pool.ts";
import type { Generations } from "../reload/generations.ts";
import type { Listeners } from "../sockets/listeners.ts";
import type { Predecessor } from "../upgrade/handover.ts";
import type { Upgrade } from "../upgrade/upgrade.ts";
import type { WorkerQuestions } from "../workers/questions.ts";
import type { WorkerProcesses } from "../workers/worker-processes.ts";
import type { AppMetrics } from "./app-metrics.ts";
import type { MetricsDependencies } from "./metrics-report.ts";
import { Scoreboard } from "./scoreboard.ts";
import { Stats } from "./stats.ts";

export interface MeasuredParts {
  readonly stats: Stats;
  readonly pool: Pool;
  readonly commands: Pick<ControlCommands, "status" | "workers">;
  readonly listeners: Listeners;
  readonly generations: Pick<Generations, "currentConfig" | "currentTls">;
  readonly questions: WorkerQuestions;
}

/** The figures for the control interface. The reports are loaded when somebody asks, at the latest after a while. */
export function measured(parts: MeasuredParts): Measured {
  let appMetrics: AppMetrics | undefined;
  const dependencies = (): MetricsDependencies => ({
    stats: parts.stats,
    pool: parts.pool,
    status: () => parts.commands.status(),
    workers: () => parts.commands.workers(),
    listeners: () => parts.listeners.listeners,
    backlog: parts.generations.currentConfig.backlog,
    inFlightLimit: inFlightLimit(parts.generations.currentConfig),
    certificates: () => parts.generations.currentTls?.certificates ?? [],
    compatibility: parts.generations.currentConfig.metricsCompat,
    appFamilies: async (taken) => {
      if (!parts.generations.currentConfig.appMetrics) return [];
      const { AppMetrics } = await import("./app-metrics.ts");
      appMetrics ??= new AppMetrics(parts);
      return await appMetrics.families(taken);
    },
  });
  const load = loadLate(() => import("./metrics-report.ts"));
  return {
    stats: async () => (await import("./report.ts")).statsReport(dependencies()),
    history: async (since) => (await parts.stats.sampler()).history.report(since),
    metrics: async (accept) => (await load()).metricsReport(dependencies(), accept),
  };
}

function inFlightLimit({ maxInFlight, maxQueue }: Config): StatsReport["inFlightLimit"] {
  return maxInFlight === 0 ? null : { places: maxInFlight, waiting: maxQueue ?? maxInFlight };
}

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
  const board = new Scoreboard(startConfig.metrics, predecessor?.scoreboard, (message) =>
    log.warning(message),
  );
  log.whenWritten((level) => {
    if (level !== "debug" && level !== "info") board.add(seriesKey(WORKER_METRICS.logLines, [level]), [1]);
  });
  return new Stats({
    pool: () => parts.pool,
    board,
    pidOf: (id) => parts.workerProcesses.pidOf(id),
    isLeaving: () => parts.upgrade.isLeaving,
    listeners: () => parts.listeners.listeners,
  });
}
