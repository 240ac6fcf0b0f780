/** The figures of a worker from two looks at it: loop, CPU, garbage collection. Pure. */
import { hundredths } from "../../metrics/counts.ts";
import type { Vitals } from "../../scoreboard/page-reader.ts";
import { isResponsive, type WorkerRecord } from "../pool/roster.ts";
import { cpuShare, type WorkerLook } from "./look.ts";

export interface WorkerFigures {
  /** From 0 to 1. */
  readonly loopUtilization: number | null;
  readonly loopDelayP99: number | null;
  /** CPU time over time: 1 is a whole core. */
  readonly cpu: number | null;
  /** Share of time in garbage collections, from 0 to 1. */
  readonly gcShare: number | null;
}

/** Its event loop is blocked, or it is stopped: its watchdog says so, or it has served and sends no heartbeats. */
export function isStuck(worker: WorkerRecord, now: number): boolean {
  if (worker.stuckAt !== undefined) return true;
  return worker.readyAt !== undefined && worker.lastBeat?.debugged !== true && !isResponsive(worker, now);
}

/**
 * @param before a look some seconds earlier; undefined if there is none
 * @param stuckFor how long it has been silent, in milliseconds, if it is stuck
 */
export function workerFigures(
  look: WorkerLook,
  before: WorkerLook | undefined,
  stuckFor: number | undefined,
): WorkerFigures {
  const cpu = cpuShare(look, before);
  if (stuckFor !== undefined) {
    return { loopUtilization: 1, loopDelayP99: Math.round(stuckFor), cpu, gcShare: null };
  }
  const { vitals, isFresh } = look;
  if (vitals === undefined) return { loopUtilization: null, loopDelayP99: null, cpu, gcShare: null };
  // A worker that rests writes no vitals.
  if (!isFresh) return { loopUtilization: 0, loopDelayP99: 0, cpu, gcShare: 0 };
  const earlier = before?.vitals;
  const between = (...names: readonly (keyof Vitals)[]): number =>
    names.reduce((sum, name) => sum + Math.max(0, vitals[name] - (earlier?.[name] ?? 0)), 0);
  const active = between("loopActive");
  const span = active + between("loopIdle");
  const gc = between("gcMinor", "gcMajor", "gcIncremental", "gcWeakCallback");
  return {
    loopUtilization: span > 0 ? share(active / span) : null,
    loopDelayP99: hundredths(vitals.loopDelayP99),
    cpu,
    gcShare: span > 0 ? share(gc / span) : null,
  };
}

function share(value: number): number {
  return Math.min(1, Math.round(value * 10_000) / 10_000);
}
