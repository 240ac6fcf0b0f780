/**
 * The desired state: what the arbiter wants, as plain data. Reconcile compares it with the roster, which is what there
 * is. How events change it is in the files beside this one: `rollout.ts`, `crashes.ts`, `spawn-holds.ts`, `stop.ts`.
 */
import { MAX_WORKERS } from "../../config/settings.ts";
import type { ExitCode } from "../../errors.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { Limits } from "./limits.ts";

/** A generation that is being rolled out. */
export interface Candidate {
  readonly generation: number;
  /** A worker of it has been ready. Until then it gets only one worker, and a newer reload may displace it. */
  readonly proven: boolean;
  /** How many workers its configuration wants: the target once it is proven. */
  readonly target: number;
  /** The target to restore if it is abandoned. */
  readonly targetBefore: number;
  readonly deaths: number;
  /** Why it is to be abandoned. */
  readonly failure: BootFailure | undefined;
}

export interface Stop {
  readonly mode: "graceful" | "quick" | "kill";
  /** When this mode was requested. */
  readonly requestedAt: number;
  /** When the workers are told; until then the server serves, but reports that it is not ready. */
  readonly beginAt: number;
  readonly exitCode: ExitCode;
  /** The last line of the log if the stop was not requested. */
  readonly reason: string | undefined;
}

export interface Desired {
  /** How many workers should be ready. */
  readonly target: number;
  /** How many workers beyond the target there may be while some are replaced. */
  readonly surge: number;
  readonly limits: Limits;
  /** The generation that serves; 0 until the first boot is complete. */
  readonly established: number;
  readonly candidate: Candidate | undefined;
  /** Another reload was requested while one that cannot be displaced is under way. */
  readonly reloadQueued: boolean;
  /** Consecutive rounds of crashes; see `crashes.ts`. */
  readonly crashRounds: number;
  /** When the last round began. */
  readonly crashRoundAt: number;
  /** When workers of the serving generation died unexpectedly, as far back as the crash limit looks. */
  readonly deathTimes: readonly number[];
  /** The latest boot of a worker of the serving generation failed. */
  readonly lastBootFailed: boolean;
  /** Until then, workers of the serving generation are spawned only as `respawnLimit` allows. */
  readonly respawnsLimitedUntil: number;
  /** Until then, no worker of any generation is spawned: the system could not start a process. */
  readonly startRetryAt: number;
  /** When a worker was last stopped by a signal that the arbiter did not send. */
  readonly signalledAt: number;
  readonly stop: Stop | undefined;
}

/** The desired state at the start: the first generation, with nothing to fall back to. */
export function firstBoot(target: number, surge: number, limits: Limits): Desired {
  return {
    target,
    surge,
    limits,
    established: 0,
    candidate: newCandidate(1, target, target),
    reloadQueued: false,
    crashRounds: 0,
    crashRoundAt: Number.NEGATIVE_INFINITY,
    deathTimes: [],
    lastBootFailed: false,
    respawnsLimitedUntil: 0,
    startRetryAt: 0,
    signalledAt: Number.NEGATIVE_INFINITY,
    stop: undefined,
  };
}

export function newCandidate(generation: number, target: number, targetBefore: number): Candidate {
  return { generation, proven: false, target, targetBefore, deaths: 0, failure: undefined };
}

/** The generation that every worker should be of. */
export function goalGeneration(desired: Desired): number {
  return desired.candidate?.generation ?? desired.established;
}

/** The generation that serves: the established one, or during the first boot the first one once it is proven. 0 for none. */
export function servingGeneration({ established, candidate }: Desired): number {
  return established === 0 && candidate?.proven === true ? candidate.generation : established;
}

/** The number of slots: the target, but at least one to try a candidate that wants workers. */
export function slotCount(desired: Desired): number {
  const { candidate, target } = desired;
  return candidate !== undefined && candidate.target > 0 ? Math.max(1, target) : target;
}

/** Scales. A target requested during a reload holds however the reload ends. */
export function withTarget(desired: Desired, wanted: number): Desired {
  const target = Math.min(MAX_WORKERS, Math.max(0, wanted));
  const { candidate } = desired;
  return {
    ...desired,
    target,
    candidate: candidate && { ...candidate, target, targetBefore: target },
  };
}
