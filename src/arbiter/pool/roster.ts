/**
 * The roster: the workers that exist, as plain data. Functions return a new roster and do not change the old one. A worker
 * goes booting → ready → draining; its record is removed when its process has ended. Times are milliseconds of one
 * monotonic clock.
 */
import type { BootStep } from "../../ipc/boot-step.ts";
import type { Beat, BootFailure } from "../../ipc/messages.ts";
import type { ExitReason } from "../../scoreboard/metrics.ts";

export type WorkerState = "booting" | "ready" | "draining";

/** The ways to tell a worker to stop, from gentle to hard. */
export type StopOrder = "drain" | "quit" | "kill";

/** Why a worker is killed: it took too long to boot or to stop, sent no heartbeat, or the server stops by force. */
export type KillReason = "boot-timeout" | "stop-timeout" | "silence" | "stop";

/** Why a worker is told to stop. */
export interface StopCause {
  readonly reason: ExitReason;
  /** In words, to follow "because of" in a record: `a reload`, `1000 requests served`. */
  readonly text: string;
}

export interface WorkerRecord {
  /** Counts spawns, from 1; never reused. */
  readonly id: number;
  /** From 1. During a replacement two workers share a slot. */
  readonly slot: number;
  readonly generation: number;
  readonly state: WorkerState;
  /** How long it may send no heartbeat once it has been ready, by the configuration it was given. */
  readonly maxSilence: number;
  readonly spawnedAt: number;
  readonly readyAt: number | undefined;
  /** The hardest order given so far. */
  readonly ordered: StopOrder | undefined;
  /** When a stopping worker is killed. */
  readonly stopBy: number | undefined;
  /** Due to be replaced though nothing is wrong with its generation: recycled, or restarted on request. */
  readonly expiring: boolean;
  /** Why it is expiring. */
  readonly expiringFor: StopCause | undefined;
  /** Why it was told to stop, or stops by itself: the first cause. */
  readonly stoppedFor: StopCause | undefined;
  /** Why it was killed; undefined unless the arbiter did it. */
  readonly killedFor: KillReason | undefined;
  /** Why it cannot boot: its own report, or the boot timeout. */
  readonly failure: BootFailure | undefined;
  /** The current step of its boot; undefined before the first. */
  readonly bootStep: BootStep | undefined;
  /** The stack at which its event loop is blocked, empty if unknown. Undefined while the loop turns. */
  readonly stuckAt: readonly string[] | undefined;
  readonly lastBeat: (Beat & { readonly at: number }) | undefined;
  /** Until when it may stand still, at the latest, because a snapshot of its heap is being taken. */
  readonly examinedUntil: number | undefined;
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
    expiringFor: undefined,
    stoppedFor: undefined,
    killedFor: undefined,
    failure: undefined,
    bootStep: undefined,
    stuckAt: undefined,
    lastBeat: undefined,
    examinedUntil: undefined,
  };
  return [...roster, record];
}

/** A worker accepts connections. One that was told to stop meanwhile stays draining. */
export function withReady(roster: Roster, id: number, now: number): Roster {
  return changed(roster, id, (worker) =>
    worker.state === "booting" ? { state: "ready", readyAt: now } : {},
  );
}

/** A worker that was told to drain while it booted had begun to serve: it has requests to finish, and until `stopBy` for them. */
export function withLateReady(roster: Roster, id: number, now: number, stopBy: number): Roster {
  return changed(roster, id, ({ ordered, readyAt }) =>
    ordered === "drain" && readyAt === undefined ? { readyAt: now, stopBy } : {},
  );
}

/** A worker is told to stop, or stops by itself. A gentler order after a harder one changes nothing. */
export function withStopping(
  roster: Roster,
  id: number,
  order: StopOrder,
  stopBy: number,
  cause?: StopCause,
): Roster {
  return changed(roster, id, (worker) => {
    if (!isHarder(order, worker.ordered)) return {};
    return { state: "draining", ordered: order, stopBy, stoppedFor: worker.stoppedFor ?? cause };
  });
}

/** The arbiter kills a worker, now. */
export function withKill(roster: Roster, id: number, why: KillReason, now: number): Roster {
  return changed(withStopping(roster, id, "kill", now), id, () => ({ killedFor: why }));
}

export function withFailure(roster: Roster, id: number, failure: BootFailure): Roster {
  return changed(roster, id, (worker) => (worker.failure === undefined ? { failure } : {}));
}

export function withBeat(roster: Roster, id: number, beat: Beat, now: number): Roster {
  const { connections, requests, debugged, isShort = false, notReady } = beat;
  const lastBeat = { connections, requests, debugged, isShort, notReady, at: now };
  return changed(roster, id, () => ({ lastBeat }));
}

export function withBootStep(roster: Roster, id: number, bootStep: BootStep | undefined): Roster {
  return changed(roster, id, () => ({ bootStep }));
}

/** A worker's event loop is blocked, or turns again. */
export function withStall(roster: Roster, id: number, stuckAt: readonly string[] | undefined): Roster {
  return changed(roster, id, () => ({ stuckAt }));
}

/** A worker may stand still until then for an examination, or has stood still until now. */
export function withExamined(roster: Roster, id: number, until: number): Roster {
  return changed(roster, id, () => ({ examinedUntil: until }));
}

export function withExpiring(roster: Roster, id: number, cause: StopCause): Roster {
  return changed(roster, id, () => ({ expiring: true, expiringFor: cause }));
}

export function withoutWorker(roster: Roster, id: number): Roster {
  return roster.filter((worker) => worker.id !== id);
}

export function findWorker(roster: Roster, id: number): WorkerRecord | undefined {
  return roster.find((worker) => worker.id === id);
}

/**
 * When its silence exceeds the limit; undefined if it has not been ready, or a debugger may be attached. The silence of an
 * examination does not count.
 */
export function silenceDeadline(worker: WorkerRecord): number | undefined {
  const lastSignAt = worker.lastBeat?.at ?? worker.readyAt;
  if (lastSignAt === undefined || worker.lastBeat?.debugged === true) return undefined;
  if (!Number.isFinite(worker.maxSilence)) return undefined;
  return Math.max(lastSignAt, worker.examinedUntil ?? lastSignAt) + worker.maxSilence;
}

/** A worker without a heartbeat for this long counts as silent: it sends one each second, a few seconds late on a busy machine. */
export const SILENT_AFTER_MS = 5000;

/** Whether its event loop turns, as far as is known: a stopped or blocked worker is silent. */
export function isResponsive(worker: WorkerRecord, now: number): boolean {
  const lastSignAt = worker.lastBeat?.at ?? worker.readyAt;
  return lastSignAt !== undefined && now - lastSignAt <= SILENT_AFTER_MS;
}

/** The workers that serve. */
export function readyWorkers(roster: Roster): Roster {
  return roster.filter((worker) => worker.state === "ready");
}

/** The workers that serve or will: those that have not been told to stop. */
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
