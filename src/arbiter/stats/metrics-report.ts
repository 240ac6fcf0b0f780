/** GET /metrics: all that is counted and measured, for Prometheus. Loaded when somebody asks. */
import type { StatusReport } from "../../control/api.ts";
import {
  type Family,
  OPENMETRICS_TYPE,
  openMetricsText,
  PROMETHEUS_TYPE,
  prefersOpenMetrics,
  prometheusText,
} from "../../metrics/exposition.ts";
import { countedFamilies, gaugeFamily } from "../../metrics/families.ts";
import { REPORT_METRICS as M } from "../../scoreboard/arbiter-metrics.ts";
import { METHODS } from "../../scoreboard/layout.ts";
import type { Metric } from "../../scoreboard/metrics.ts";
import { memoryLimit } from "../../system/memory-limit.ts";
import { compatibleFamilies } from "./compatible-metrics.ts";
import type { Look, WorkerLook } from "./look.ts";
import { listenerReports, type ReportDependencies } from "./report.ts";
import { loopDelay, type SlotFigures, seconds, slotFigures } from "./slot-figures.ts";
import { isStuck } from "./worker-figures.ts";

export interface MetricsDependencies extends ReportDependencies {
  /** `--metrics-compat` */
  readonly compatibility: "none" | "prom-client";
  /** Those of the generation that serves; several may be in one file. */
  certificates(): readonly { readonly file: string; readonly notAfter: number }[];
  /** The metrics that apps keep themselves (`--app-metrics`). @param taken names of tsgun's own families */
  appFamilies(taken: ReadonlySet<string>): Promise<Family[]>;
}

/** @param accept the client's field of that name */
export async function metricsReport(
  dependencies: MetricsDependencies,
  accept: string | undefined,
): Promise<{ readonly type: string; readonly text: string }> {
  const own = await metricFamilies(dependencies);
  const families = [...own, ...(await dependencies.appFamilies(new Set(own.map(({ name }) => name))))];
  return prefersOpenMetrics(accept)
    ? { type: OPENMETRICS_TYPE, text: openMetricsText(families) }
    : { type: PROMETHEUS_TYPE, text: prometheusText(families) };
}

async function metricFamilies(dependencies: MetricsDependencies): Promise<Family[]> {
  const { stats, pool, workers, compatibility } = dependencies;
  const sampler = await stats.sampler();
  const pids = workers().map(({ pid }) => pid);
  await Promise.all([sampler.memory.refresh(pids), sampler.backlogs.refresh()]);
  const look = sampler.look();
  const slots = slotFigures(dependencies, sampler, look);
  const status = dependencies.status();
  const { lastReload, lastSuccessAt } = stats;
  const { isOpen } = stats.board;
  const listeners = listenerReports(dependencies, sampler);
  return [
    ...serverFamilies(status, stats.startedAt),
    ...countedFamilies(stats.board.total(), isOpen),
    gaugeFamily(M.activeRequests, isOpen ? activeRequests(look) : []),
    gaugeFamily(M.connections, connections(look, new Map(pool.roster.map(({ id, slot }) => [id, slot])))),
    gaugeFamily(M.backlog, perAddress(listeners.map(({ address, backlog }) => [address, backlog]))),
    gaugeFamily(
      M.backlogLimit,
      perAddress(listeners.map(({ address, backlogLimit }) => [address, backlogLimit])),
    ),
    gaugeFamily(M.workers, workerStates(dependencies)),
    gaugeFamily(M.workersWanted, [[[], status.workers.target]]),
    gaugeFamily(M.generation, [[[], status.generation]]),
    gaugeFamily(M.lastReloadSuccessful, [[[], lastReload?.ok === false ? 0 : 1]]),
    gaugeFamily(M.lastReloadSuccess, [[[], lastSuccessAt / 1000]]),
    gaugeFamily(M.arbiterLoopDelay, [[[], seconds(stats.turns.percentile(0.99))]]),
    gaugeFamily(
      M.certificateEnd,
      dependencies.certificates().map(({ file, notAfter }) => [[file], notAfter / 1000]),
    ),
    gaugeFamily(M.memoryLimit, [[[], memoryLimit()]]),
    ...slotFamilies(slots),
    ...(compatibility === "prom-client" ? compatibleFamilies(slots) : []),
  ];
}

function serverFamilies({ version, app }: StatusReport, startedAt: number): Family[] {
  return [
    gaugeFamily(M.info, [[[version, process.version, app], 1]]),
    gaugeFamily(M.startTime, [[[], startedAt / 1000]]),
  ];
}

type Values = Iterable<readonly [labels: readonly string[], value: number | null | undefined]>;

function activeRequests({ workers, others }: Look): Values {
  const byMethod = new Array<number>(2 * METHODS.length).fill(0);
  for (const { methods } of [...workers.values(), ...others])
    for (const [index, count] of methods.entries()) byMethod[index] = (byMethod[index] as number) + count;
  // The methods that every server sees are shown without requests, too.
  const isShown = (index: number): boolean => index < 2 || (byMethod[index] as number) > 0;
  return byMethod.flatMap((count, index) =>
    isShown(index) ? [[[METHODS[index % METHODS.length] as string, schemeOf(index)], count] as const] : [],
  );
}

function schemeOf(index: number): string {
  return index < METHODS.length ? "http" : "https";
}

function connections({ workers, others }: Look, slotOf: ReadonlyMap<number, number>): Values {
  const sums = new Map<number, { active: number; idle: number; upgraded: number }>();
  const add = (slot: number, vitals: WorkerLook["vitals"]): void => {
    if (vitals === undefined) return;
    const sum = sums.get(slot) ?? { active: 0, idle: 0, upgraded: 0 };
    sum.active += vitals.connectionsActive;
    sum.idle += vitals.connectionsIdle;
    sum.upgraded += vitals.connectionsUpgraded;
    sums.set(slot, sum);
  };
  for (const [id, { vitals }] of workers) add(slotOf.get(id) ?? 0, vitals);
  for (const { header, vitals } of others) add(header.slot, vitals);
  return [...sums].flatMap(([slot, sum]) =>
    Object.entries(sum).map(([state, count]) => [[String(slot), state], count] as const),
  );
}

/** Several sockets may have one address, each of another generation: their queues are one for a client. */
function perAddress(values: readonly (readonly [address: string, value: number | null])[]): Values {
  const sums = new Map<string, number>();
  for (const [address, value] of values)
    if (value !== null) sums.set(address, (sums.get(address) ?? 0) + value);
  return [...sums].map(([address, value]) => [[address], value] as const);
}

function workerStates({ pool }: ReportDependencies): Values {
  const states = { booting: 0, ready: 0, draining: 0, stuck: 0 };
  for (const worker of pool.roster) states[isStuck(worker, pool.now) ? "stuck" : worker.state]++;
  return Object.entries(states).map(([state, count]) => [[state], count] as const);
}

function slotFamilies(slots: readonly SlotFigures[]): Family[] {
  const bySlot = (metric: Metric, value: (slot: SlotFigures) => number | null | undefined): Family =>
    gaugeFamily(
      metric,
      slots.map((slot) => [[String(slot.slot)], value(slot)] as const),
    );
  return [
    bySlot(M.loopUtilization, ({ loopUtilization }) => loopUtilization),
    bySlot(M.loopDelayP50, (slot) => loopDelay(slot, "loopDelayP50")),
    bySlot(M.loopDelayP90, (slot) => loopDelay(slot, "loopDelayP90")),
    bySlot(M.loopDelayP99, (slot) => loopDelay(slot, "loopDelayP99")),
    bySlot(M.loopDelayMax, (slot) => loopDelay(slot, "loopDelayMax")),
    bySlot(M.heapUsed, ({ vitals }) => vitals?.heapUsed),
    bySlot(M.heapLimit, ({ vitals }) => vitals?.heapLimit),
    bySlot(M.external, ({ vitals }) => vitals?.external),
    bySlot(M.rss, ({ rss }) => rss),
    bySlot(M.pss, ({ pss }) => pss),
    bySlot(M.openDescriptors, ({ vitals }) => vitals?.openDescriptors),
    bySlot(M.requestsWaiting, ({ vitals }) => vitals?.requestsWaiting),
  ];
}
