/** The figures of each slot: gauges have no pid and no generation, so that their number stays small. */
import { type Look, rank, type WorkerLook } from "./look.ts";
import type { ReportDependencies } from "./report.ts";
import type { Sampler } from "./sampler.ts";
import type { WorkerFigures } from "./worker-figures.ts";

/** The figures of a slot: those of the worker that serves there. */
export interface SlotFigures extends WorkerFigures {
  readonly slot: number;
  readonly vitals: WorkerLook["vitals"];
  readonly isFresh: boolean;
  readonly rss: number | undefined;
  readonly pss: number | null;
}

/** The figures of each slot, of the worker that serves there; of another arbiter's where this one has none. */
export function slotFigures(
  { pool, workers }: ReportDependencies,
  sampler: Sampler,
  look: Look,
): SlotFigures[] {
  const reports = workers();
  const bySlot = new Map<number, SlotFigures & { readonly rank: number }>();
  for (const [index, worker] of pool.roster.entries()) {
    const seen = look.workers.get(worker.id);
    const known = bySlot.get(worker.slot);
    if (seen === undefined || (known !== undefined && known.rank > rank(worker))) continue;
    bySlot.set(worker.slot, {
      slot: worker.slot,
      vitals: seen.vitals,
      isFresh: seen.isFresh,
      rss: seen.rss,
      pss: sampler.memory.of(reports[index]?.pid),
      rank: rank(worker),
      ...sampler.figures(worker, seen),
    });
  }
  const unknown = { loopUtilization: null, loopDelayP99: null, cpu: null, gcShare: null, pss: null };
  for (const { header, vitals } of look.others) {
    if (bySlot.has(header.slot)) continue;
    const { slot } = header;
    bySlot.set(slot, { slot, vitals, isFresh: true, rss: vitals?.rss, rank: 0, ...unknown });
  }
  return [...bySlot.values()].sort((one, other) => one.slot - other.slot);
}

/** How late timers ran, in seconds. A worker that is blocked is late by as long as it has been. */
export function loopDelay(
  { vitals, isFresh, loopUtilization, loopDelayP99 }: SlotFigures,
  name: "loopDelayP50" | "loopDelayP90" | "loopDelayP99" | "loopDelayMax",
): number | null {
  if (vitals === undefined && loopDelayP99 === null) return null;
  const isBlocked = !isFresh && loopUtilization === 1;
  if (isBlocked) return seconds(loopDelayP99);
  return seconds(isFresh ? (vitals?.[name] ?? null) : 0);
}

export function seconds(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / 1000;
}
