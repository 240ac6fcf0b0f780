/**
 * Reconcile: compares the desired state with the roster and returns what to do now. Boot, scaling, a crash, recycling, a
 * rolling reload and a shutdown are all this function; none of them is scripted.
 *
 * Its invariants, for any sequence of events:
 * - a ready worker is told to stop only while more than `target` are ready;
 * - a worker is replaced by one that is ready, in the same slot;
 * - never more than `target + surge` workers serve or boot; while a healthy worker is replaced, draining ones count too.
 */
import { respawnLimit } from "./crashes.ts";
import { type Desired, goalGeneration, servingGeneration, slotCount } from "./desired.ts";
import {
  activeWorkers,
  isHarder,
  type KillReason,
  type Roster,
  readyWorkers,
  silenceDeadline,
  type WorkerRecord,
} from "./roster.ts";
import { heldUntil } from "./spawn-holds.ts";

export type Action =
  | { readonly type: "spawn"; readonly slot: number; readonly generation: number }
  | { readonly type: "drain"; readonly id: number }
  /** A booting worker is not needed: it exits, or drains if it has begun to serve meanwhile. */
  | { readonly type: "dismiss"; readonly id: number }
  /** `overdue`: it has not finished draining in time. */
  | { readonly type: "quit"; readonly id: number; readonly overdue?: true }
  | { readonly type: "kill"; readonly id: number; readonly why: KillReason }
  /** Every slot has a ready worker of the candidate: it is established. */
  | { readonly type: "commit" }
  /** The candidate has failed. */
  | { readonly type: "abandon" }
  /** The last worker of a stopping server has gone. */
  | { readonly type: "exit" };

export interface Plan {
  readonly actions: readonly Action[];
  /** When to reconcile again if nothing happens; undefined for never. */
  readonly wakeAt: number | undefined;
}

/** Pure: the same arguments give the same plan. Once its actions are carried out, a second call plans nothing. */
export function reconcile(desired: Desired, roster: Roster, now: number): Plan {
  const overdue = overdueWorkers(desired, roster, now);
  const { stop } = desired;
  const stopping = stop !== undefined && now >= stop.beginAt;
  const wanted = stopping ? stopAll(desired, roster) : keep(desired, roster, now);
  const wakeAt = earliest(overdue.wakeAt, wanted.wakeAt);
  return {
    actions: [...overdue.actions, ...wanted.actions],
    wakeAt: stopping ? wakeAt : earliest(wakeAt, stop?.beginAt),
  };
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

/**
 * Ends workers past their time limit to boot, to stop or to send a heartbeat. A draining one that has served is told to quit
 * first, so that its app is shut down and its hooks run.
 */
function overdueWorkers(desired: Desired, roster: Roster, now: number): Plan {
  const actions: Action[] = [];
  let wakeAt: number | undefined;
  for (const worker of roster) {
    const limit = timeLimit(desired, worker);
    if (limit === undefined) continue;
    if (now < limit.at) wakeAt = earliest(wakeAt, limit.at);
    else if (limit.why === "stop-timeout" && worker.ordered === "drain" && worker.readyAt !== undefined)
      actions.push({ type: "quit", id: worker.id, overdue: true });
    else actions.push({ type: "kill", id: worker.id, why: limit.why });
  }
  return { actions, wakeAt };
}

function timeLimit(desired: Desired, worker: WorkerRecord): { at: number; why: KillReason } | undefined {
  if (worker.ordered === "kill") return undefined;
  const silentAt = silenceDeadline(worker);
  if (silentAt !== undefined && silentAt < (worker.stopBy ?? Number.POSITIVE_INFINITY)) {
    return { at: silentAt, why: "silence" };
  }
  if (worker.stopBy !== undefined) return { at: worker.stopBy, why: "stop-timeout" };
  if (worker.state !== "booting") return undefined;
  return { at: worker.spawnedAt + desired.limits.boot, why: "boot-timeout" };
}

function stopAll(desired: Desired, roster: Roster): Plan {
  if (roster.length === 0) return { actions: [{ type: "exit" }], wakeAt: undefined };
  const order = ({ graceful: "drain", quick: "quit", kill: "kill" } as const)[desired.stop?.mode ?? "quick"];
  const actions = roster
    .filter((worker) => isHarder(order, worker.ordered))
    .map((worker): Action => {
      if (order === "kill") return { type: "kill", id: worker.id, why: "stop" };
      return { type: worker.state === "booting" && order === "drain" ? "dismiss" : order, id: worker.id };
    });
  return { actions, wakeAt: undefined };
}

/** Keeps the pool at its target, and rolls it over to the goal generation. */
function keep(desired: Desired, roster: Roster, now: number): Plan {
  const held = heldUntil(desired);
  if (desired.candidate?.failure !== undefined) {
    if (now < held) return { actions: [], wakeAt: held };
    return { actions: [{ type: "abandon" }], wakeAt: undefined };
  }
  const slots = viewSlots(desired, roster);
  if (isEstablished(desired, slots)) return { actions: [{ type: "commit" }], wakeAt: undefined };
  const spawns = now < held ? { actions: [], wakeAt: held } : planSpawns(desired, roster, slots, now);
  return { actions: [...planStops(desired, roster, slots), ...spawns.actions], wakeAt: spawns.wakeAt };
}

/** The active workers by slot. */
interface SlotsView {
  /** Slots without a worker. */
  readonly empty: readonly number[];
  /**
   * Slots whose worker must be replaced and has no successor yet: those of another generation first, since workers of the
   * goal may be due again sooner than others boot, and a rollout would never end.
   */
  readonly outdated: readonly number[];
  /** Workers that a fitter one of their slot has made superfluous. */
  readonly succeeded: readonly WorkerRecord[];
  /** Workers in slots beyond the target, the highest first. */
  readonly beyond: readonly WorkerRecord[];
  /** Every slot has a ready worker of the goal generation, be it due for replacement or not. */
  readonly complete: boolean;
}

function viewSlots(desired: Desired, roster: Roster): SlotsView {
  const goal = goalGeneration(desired);
  const active = activeWorkers(roster);
  const bySlot = new Map<number, WorkerRecord[]>();
  for (const worker of active) {
    const occupants = bySlot.get(worker.slot);
    if (occupants === undefined) bySlot.set(worker.slot, [worker]);
    else occupants.push(worker);
  }
  const empty: number[] = [];
  const outdated: number[] = [];
  const expiring: number[] = [];
  const succeeded: WorkerRecord[] = [];
  let complete = true;
  const last = slotCount(desired);
  for (let slot = 1; slot <= last; slot++) {
    const occupants = bySlot.get(slot) ?? [];
    const fresh = occupants.filter((worker) => worker.generation === goal && !worker.expiring);
    if (occupants.length === 0) empty.push(slot);
    else if (fresh.length === 0) {
      const isOfGoal = occupants.some((worker) => worker.generation === goal);
      (isOfGoal ? expiring : outdated).push(slot);
    }
    const keeper = bestReady(occupants, desired);
    const rank = keeper === undefined ? -1 : fitness(keeper, desired);
    for (const worker of occupants) {
      // A booting worker is worth waiting for only if it will be fitter than the ready one.
      if (worker === keeper || keeper === undefined) continue;
      if (worker.state === "ready" || fitness(worker, desired) <= rank) succeeded.push(worker);
    }
    complete &&= keeper?.generation === goal;
  }
  const beyond = active.filter((worker) => worker.slot > last).sort((a, b) => b.slot - a.slot || a.id - b.id);
  return { empty, outdated: [...outdated, ...expiring], succeeded, beyond, complete };
}

/** The fitness of a worker of the goal generation that is not expiring. */
const FITTEST = 3;

function fitness(worker: WorkerRecord, desired: Desired): number {
  if (worker.expiring) return 0;
  if (worker.generation === goalGeneration(desired)) return FITTEST;
  return worker.generation === desired.established ? 2 : 1;
}

/** The ready worker of a slot that stays: the fittest, of equals the first. */
function bestReady(occupants: readonly WorkerRecord[], desired: Desired): WorkerRecord | undefined {
  let best: WorkerRecord | undefined;
  for (const worker of occupants) {
    if (worker.state !== "ready") continue;
    if (best === undefined || fitness(worker, desired) > fitness(best, desired)) best = worker;
  }
  return best;
}

function isEstablished(desired: Desired, slots: SlotsView): boolean {
  const rolledOver = slots.complete && slots.succeeded.length === 0 && slots.beyond.length === 0;
  return desired.candidate?.proven === true && rolledOver;
}

function planStops(desired: Desired, roster: Roster, slots: SlotsView): Action[] {
  const goal = goalGeneration(desired);
  const actions: Action[] = [];
  let spare = readyWorkers(roster).length - desired.target;
  for (const worker of [...slots.beyond, ...slots.succeeded]) {
    if (worker.state === "booting") actions.push({ type: "dismiss", id: worker.id });
    else if (spare-- > 0) actions.push({ type: "drain", id: worker.id });
  }
  const dismissed = new Set(actions.map((action) => ("id" in action ? action.id : 0)));
  for (const worker of activeWorkers(roster)) {
    const stale = worker.generation !== goal && worker.generation !== desired.established;
    if (worker.state !== "booting" || dismissed.has(worker.id)) continue;
    // A booting worker of a displaced or abandoned generation, or one that would be replaced at once.
    if (stale || worker.expiring) actions.push({ type: "dismiss", id: worker.id });
  }
  return actions;
}

function planSpawns(desired: Desired, roster: Roster, slots: SlotsView, now: number): Plan {
  const actions: Action[] = [];
  let wakeAt: number | undefined;
  let active = activeWorkers(roster).length;
  let living = roster.length;
  const most = desired.target + desired.surge;
  const { candidate, established } = desired;
  const spawn = (slot: number, generation: number): void => {
    active++;
    living++;
    actions.push({ type: "spawn", slot, generation });
  };

  // An unproven candidate gets one worker, while the established generation fills the gaps.
  const isFirstBoot = established === 0;
  const isProbing = candidate !== undefined && !candidate.proven && !isFirstBoot;
  const gapFiller = isProbing ? established : goalGeneration(desired);
  let allowed =
    gapFiller === servingGeneration(desired) ? respawnLimit(desired, roster, now) : Number.POSITIVE_INFINITY;
  let { empty, outdated } = slots;
  if (isProbing) {
    const hasProbe = activeWorkers(roster).some((worker) => worker.generation === candidate.generation);
    const slot = outdated[0] ?? empty[0];
    if (!hasProbe && slot !== undefined && (outdated.length > 0 ? living : active) < most) {
      spawn(slot, candidate.generation);
      empty = empty.filter((other) => other !== slot);
    }
    outdated = [];
  }
  const fill = (slot: number, used: number): void => {
    if (allowed <= 0) {
      if (now < desired.respawnsLimitedUntil) wakeAt = desired.respawnsLimitedUntil;
    } else if (used < most) {
      allowed -= 1;
      spawn(slot, gapFiller);
    }
  };
  for (const slot of empty) fill(slot, active);
  for (const slot of outdated) fill(slot, living);
  return { actions, wakeAt };
}
