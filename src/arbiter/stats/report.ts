/** GET /stats: the data behind `tsgun ctl`, `tsgun top` and the dashboard. Loaded when somebody asks. */
import type { StatusReport, WorkerReport } from "../../control/api.ts";
import type { ListenerReport, StatsReport, WorkerStats } from "../../control/stats.ts";
import { percentile, valuesBetween } from "../../metrics/counts.ts";
import { QUEUE_BUCKETS } from "../../scoreboard/metrics.ts";
import { readText } from "../../system/cgroup.ts";
import { memoryLimit } from "../../system/memory-limit.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { Listener } from "../sockets/bind.ts";
import { connectionsOf, inFlightOf, type Look, waitingOf } from "./look.ts";
import type { Sampler } from "./sampler.ts";
import type { Stats } from "./stats.ts";
import { isStuck } from "./worker-figures.ts";

export interface ReportDependencies {
  readonly stats: Stats;
  readonly pool: Pool;
  status(): StatusReport;
  /** In the order of the roster. */
  workers(): readonly WorkerReport[];
  listeners(): readonly Listener[];
  /** `--backlog` */
  readonly backlog: number;
  /** `--max-in-flight` and `--max-queue`; null without. */
  readonly inFlightLimit: StatsReport["inFlightLimit"];
}

export async function statsReport(dependencies: ReportDependencies): Promise<StatsReport> {
  const { stats } = dependencies;
  const sampler = await stats.sampler();
  const pids = dependencies.workers().map(({ pid }) => pid);
  await Promise.all([sampler.memory.refresh(pids), sampler.backlogs.refresh()]);
  const look = sampler.look();
  const workers = workerReports(dependencies, sampler, look);
  const queue = valuesBetween(look.total.queue, sampler.totalBefore(look).queue);
  const states = { booting: 0, ready: 0, draining: 0, stuck: 0 };
  for (const { state, isStuck } of workers) states[isStuck ? "stuck" : state]++;
  const { requests, byClass, rejected, starts, exits, logLinesDropped } = look.total;
  const { active, idle, upgraded } = connectionsOf(look);
  const server = dependencies.status();
  return {
    time: new Date(look.time).toISOString(),
    server,
    workerStates: states,
    lastReload: stats.lastReload ?? null,
    rates: sampler.rates(look),
    queueP50: percentile(queue, QUEUE_BUCKETS, 0.5),
    queueP99: percentile(queue, QUEUE_BUCKETS, 0.99),
    inFlight: inFlightOf(look),
    waiting: waitingOf(look),
    inFlightLimit: dependencies.inFlightLimit,
    connections: { active, idle, upgraded },
    listeners: listenerReports(dependencies, sampler),
    workers,
    totals: { requests, byClass, rejected, starts, exits, logLinesDropped },
    arbiter: {
      pid: process.pid,
      cpu: sampler.ownCpu(),
      rssBytes: process.memoryUsage.rss(),
      loopDelayP99: stats.turns.percentile(0.99),
    },
    memoryLimitBytes: memoryLimit() ?? null,
    isCounting: stats.board.isOpen,
  };
}

function workerReports(
  { stats, pool, workers }: ReportDependencies,
  sampler: Sampler,
  look: Look,
): WorkerStats[] {
  const reports = workers();
  return pool.roster.map((worker, index) => {
    const report = reports[index] as WorkerReport;
    return { ...report, ...workerStats(worker, report, stats, pool, sampler, look) };
  });
}

function workerStats(
  worker: WorkerRecord,
  report: WorkerReport,
  stats: Stats,
  pool: Pool,
  sampler: Sampler,
  look: Look,
): Omit<WorkerStats, keyof WorkerReport> & { readonly requests: number; readonly connections: number } {
  const seen = look.workers.get(worker.id);
  const figures = seen && sampler.figures(worker, seen);
  const { vitals } = seen ?? {};
  return {
    requests: seen?.counts.requests || report.requests,
    connections: report.connections,
    isStuck: isStuck(worker, pool.now),
    inFlight: seen?.inFlight ?? 0,
    waiting: vitals?.requestsWaiting ?? null,
    oldest: seen?.oldest === undefined ? null : Math.max(0, Math.round(look.time - seen.oldest)),
    rates: sampler.workerRates(worker.id, seen),
    loopUtilization: figures?.loopUtilization ?? null,
    loopDelayP99: figures?.loopDelayP99 ?? null,
    cpu: figures?.cpu ?? null,
    pssBytes: sampler.memory.of(report.pid),
    rssBytes: seen?.rss ?? null,
    heapUsedBytes: vitals?.heapUsed ?? null,
    heapLimitBytes: vitals?.heapLimit ?? null,
    gcShare: figures?.gcShare ?? null,
    openDescriptors: vitals?.openDescriptors ?? null,
    restarts: stats.restartsOf(worker.slot),
    lastExit: stats.lastExitOf(worker.slot) ?? null,
  };
}

/** The listening sockets, as of the last reading of their queues. */
export function listenerReports(
  { listeners, backlog }: Pick<ReportDependencies, "listeners" | "backlog">,
  sampler: Sampler,
): ListenerReport[] {
  const limit = backlogLimit(backlog);
  return listeners().map((listener) => ({
    address: listener.url,
    slot: listener.slot ?? null,
    backlog: sampler.backlogs.of(listener),
    backlogLimit: limit,
  }));
}

/** The kernel's limit for `--backlog`. */
function backlogLimit(backlog: number): number {
  const most = Number(readText("/proc/sys/net/core/somaxconn"));
  return most > 0 ? Math.min(backlog, most) : backlog;
}
