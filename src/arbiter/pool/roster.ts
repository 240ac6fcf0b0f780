/**
 * The roster: the workers that exist, as plain data. Functions return a new roster and leave the old one
 * alone. A worker goes booting → ready → draining; when its process has ended it is gone, and its record
 * leaves the roster. Times are milliseconds of one monotonic clock.
 */
import type { BootStep } from "../../ipc/boot-step.ts";
import type { Beat, BootFailure } from "../../ipc/messages.ts";

export type WorkerState = "booting" | "ready" | "draining";

/** How a worker has been told to stop, from gentle to hard. */
export type StopOrder = "drain" | "quit" | "kill";

export interface WorkerRecord {
  /** Counts spawns, from 1; never used again. */
  readonly id: number;
  /** The place it fills, from 1. During a replacement two workers share a slot. */
  readonly slot: number;
  readonly generation: number;
  readonly state: WorkerState;
  /** How long it may say nothing once it has been ready; by the configuration it was given. */
  readonly maxSilence: number;
  readonly spawnedAt: number;
  readonly readyAt: number | undefined;
  /** The hardest order given so far. */
  readonly ordered: StopOrder | undefined;
  /** When a stopping worker is killed. */
  readonly stopBy: number | undefined;
  /** To be replaced though nothing is wrong with its generation (recycling, a restart that was asked for). */
  readonly expiring: boolean;
  /** Why it cannot boot, as it said itself or as its boot timeout says. */
  readonly failure: BootFailure | undefined;
  /** What it does on its way to being ready; undefined before it has begun. */
  readonly bootStep: BootStep | undefined;
  /** Where its event loop is blocked: the frames, none where they could not be had. Undefined as long as it turns. */
  readonly stuckAt: readonly string[] | undefined;
  readonly lastBeat: (Beat & { readonly at: number }) | undefined;
}

export type Roster = readonly WorkerRecord[];

export function withSpawned(
  roster: Roster,
  worker: Pick<WorkerRecord, "id" | "slot" | "generation" | "maxSilence">,
  now: number,
): Roster {
  const record: WorkerRecord = {
    id: worker.id,
    slot: worker.slot,
    generation: worker.generation,
    maxSilence: worker.maxSilence,
    state: "booting",
    spawnedAt: now,
    readyAt: undefined,
    ordered: undefined,
    stopBy: undefined,
    expiring: false,
    failure: undefined,
    bootStep: undefined,
    stuckAt: undefined,
    lastBeat: undefined,
  };
  return [...roster, record];
}

/** A worker says that it takes connections. One that has been told to stop meanwhile stays draining. */
export function withReady(roster: Roster, id: number, now: number): Roster {
  return changed(roster, id, (worker) =>
    worker.state === "booting" ? { state: "ready", readyAt: now } : {},
  );
}

/** A worker is told to stop, or stops of its own accord. A gentler order after a harder one changes nothing. */
export function withStopping(roster: Roster, id: number, order: StopOrder, stopBy: number): Roster {
  return changed(roster, id, (worker) =>
    isHarder(order, worker.ordered) ? { state: "draining", ordered: order, stopBy } : {},
  );
}

export function withFailure(roster: Roster, id: number, failure: BootFailure): Roster {
  return changed(roster, id, (worker) => (worker.failure === undefined ? { failure } : {}));
}

export function withBeat(roster: Roster, id: number, beat: Beat, now: number): Roster {
  const { connections, requests, debugged, isShort = false } = beat;
  const lastBeat = { connections, requests, debugged, isShort, at: now };
  return changed(roster, id, () => ({ lastBeat }));
}

export function withBootStep(roster: Roster, id: number, bootStep: BootStep | undefined): Roster {
  return changed(roster, id, () => ({ bootStep }));
}

/** A worker's event loop is blocked, or turns again. */
export function withStall(roster: Roster, id: number, stuckAt: readonly string[] | undefined): Roster {
  return changed(roster, id, () => ({ stuckAt }));
}

export function withExpiring(roster: Roster, id: number): Roster {
  return changed(roster, id, () => ({ expiring: true }));
}

export function withoutWorker(roster: Roster, id: number): Roster {
  return roster.filter((worker) => worker.id !== id);
}

export function findWorker(roster: Roster, id: number): WorkerRecord | undefined {
  return roster.find((worker) => worker.id === id);
}

/** When its silence is over-long, or undefined: it has not been ready yet, or somebody debugs it. */
export function silentUntil(worker: WorkerRecord): number | undefined {
  const heardAt = worker.lastBeat?.at ?? worker.readyAt;
  if (heardAt === undefined || worker.lastBeat?.debugged === true) return undefined;
  return Number.isFinite(worker.maxSilence) ? heardAt + worker.maxSilence : undefined;
}

/**
 * A worker that was not heard of for so long, in milliseconds, is not counted on: it beats at least once a second, and
 * on a busy machine it may be late by a few.
 */
export const SILENT_AFTER = 5000;

/** Its event loop turns, as far as is known: a worker that is stopped or blocked is silent. */
export function isResponsive(worker: WorkerRecord, now: number): boolean {
  const heardAt = worker.lastBeat?.at ?? worker.readyAt;
  return heardAt !== undefined && now - heardAt <= SILENT_AFTER;
}

/** Those that serve. */
export function readyWorkers(roster: Roster): Roster {
  return roster.filter((worker) => worker.state === "ready");
}

/** Those that serve or will: everything that has not been told to stop. */
export function activeWorkers(roster: Roster): Roster {
  return roster.filter((worker) => worker.state !== "draining");
}

const HARDNESS = { drain: 1, quit: 2, kill: 3 } as const;

export function isHarder(order: StopOrder, than: StopOrder | undefined): boolean {
  return than === undefined || HARDNESS[order] > HARDNESS[than];
}

function changed(
  roster: Roster,
  id: number,
  change: (worker: WorkerRecord) => Partial<WorkerRecord>,
): Roster {
  return roster.map((worker) => (worker.id === id ? { ...worker, ...change(worker) } : worker));
}
