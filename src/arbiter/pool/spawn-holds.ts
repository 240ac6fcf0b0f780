/** Two reasons to hold back every spawn for a moment: the system cannot start a process, or a signal may mean the server. */
import type { BootFailure } from "../../ipc/messages.ts";
import { type Desired, servingGeneration } from "./desired.ts";
import { candidateAfterDeath } from "./rollout.ts";
import type { WorkerRecord } from "./roster.ts";

/** Retry interval while the system cannot start a process. */
const START_RETRY_MS = 1000;

/**
 * How long to ignore that a worker was stopped by a foreign signal. A signal to the whole process group reaches the
 * arbiter as well, but the arbiter may learn of its worker first.
 */
export const GROUP_SIGNAL_MS = 250;

/** Until then, no worker is spawned and no candidate is abandoned. */
export function heldUntil({ startRetryAt, signalledAt }: Desired): number {
  return Math.max(startRetryAt, signalledAt + GROUP_SIGNAL_MS);
}

/**
 * A worker's process could not be started, which is no death: for the serving generation the start is retried, and a
 * candidate fails.
 */
export function withUnstarted(
  desired: Desired,
  worker: WorkerRecord,
  failure: BootFailure,
  now: number,
): Desired {
  if (worker.state === "draining") return desired;
  if (worker.generation === servingGeneration(desired))
    return { ...desired, startRetryAt: now + START_RETRY_MS };
  const { candidate } = desired;
  if (candidate?.generation !== worker.generation) return desired;
  return { ...desired, candidate: { ...candidate, failure: candidate.failure ?? failure } };
}

/** Whether a worker of the serving generation could not be started at `time` or later. */
export function wasUnstartedSince({ startRetryAt }: Desired, time: number): boolean {
  return startRetryAt - START_RETRY_MS >= time;
}

/**
 * A worker is being stopped by a signal that the arbiter did not send. The sender may have meant the server; then the
 * arbiter's own signal follows. If not, the worker is replaced; one of a candidate that was not ready counts as dead.
 */
export function withSignalled(desired: Desired, worker: WorkerRecord, now: number): Desired {
  if (worker.state === "draining") return desired;
  const { candidate, stop } = desired;
  const counts = worker.state === "booting" && worker.generation === candidate?.generation;
  const isStop = stop !== undefined && now - stop.requestedAt < GROUP_SIGNAL_MS;
  return {
    ...desired,
    signalledAt: now,
    candidate: counts ? candidateAfterDeath(candidate, worker, "was stopped by a signal") : candidate,
    // Stopping workers cannot serve until the delayed drain begins.
    stop: isStop ? { ...stop, beginAt: Math.min(now, stop.beginAt) } : stop,
  };
}
