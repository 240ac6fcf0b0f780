/**
 * A reload is a transaction. A new generation is a *candidate* until every slot has a ready worker of it; then it is
 * *established*. A candidate that fails is abandoned, and the established generation keeps serving.
 */
import { ExitCode } from "../../errors.ts";
import { type Candidate, type Desired, newCandidate, servingGeneration } from "./desired.ts";
import type { Limits } from "./limits.ts";
import type { WorkerRecord } from "./roster.ts";

/** Unexplained deaths (a signal, an exit without a report) that a candidate is forgiven. */
const FORGIVEN_DEATHS = 1;

/** Whether a reload can begin now. If not, it waits for the current rollout. */
export function canReload(desired: Desired): boolean {
  if (desired.stop !== undefined) return false;
  const { candidate } = desired;
  return candidate === undefined || (!candidate.proven && desired.established !== 0);
}

/**
 * A reload begins: rolls out `generation`, with `target` workers once it is proven. Displaces a candidate that is not
 * proven.
 */
export function withCandidate(desired: Desired, generation: number, target: number, limits: Limits): Desired {
  const candidate = newCandidate(generation, target, desired.target);
  return { ...desired, limits, candidate, reloadQueued: false };
}

/** A worker of `generation` is ready: it proves the candidate, or shows that the serving generation boots again. */
export function withReadiness(desired: Desired, generation: number): Desired {
  if (desired.lastBootFailed && generation === servingGeneration(desired))
    return { ...desired, lastBootFailed: false, respawnsLimitedUntil: 0 };
  return withProof(desired, generation);
}

function withProof(desired: Desired, generation: number): Desired {
  const { candidate } = desired;
  if (candidate === undefined || candidate.generation !== generation || candidate.proven) return desired;
  return { ...desired, target: candidate.target, candidate: { ...candidate, proven: true } };
}

/** Every slot has a ready worker of the candidate. */
export function withEstablished(desired: Desired): Desired {
  const { candidate } = desired;
  if (candidate === undefined) return desired;
  return {
    ...desired,
    established: candidate.generation,
    candidate: undefined,
    crashRounds: 0,
    deathTimes: [],
    lastBootFailed: false,
    respawnsLimitedUntil: 0,
  };
}

/**
 * The candidate failed: the established generation keeps serving, or the server stops if there is none. Workers that are
 * ready have served meanwhile, and finish their requests.
 */
export function withAbandoned(desired: Desired, limits: Limits, now: number): Desired {
  const { candidate } = desired;
  if (candidate?.failure === undefined) return desired;
  const { failure, targetBefore } = candidate;
  if (desired.established !== 0) return { ...desired, target: targetBefore, candidate: undefined, limits };
  const exitCode = failure.kind === "load" ? ExitCode.appLoad : ExitCode.workerBoot;
  return {
    ...desired,
    stop: { mode: "graceful", requestedAt: now, beginAt: now, exitCode, reason: failure.message },
  };
}

/**
 * A worker of the candidate died.
 *
 * @param how what it did, to continue "a worker …"
 */
export function candidateAfterDeath(candidate: Candidate, worker: WorkerRecord, how: string): Candidate {
  if (candidate.failure !== undefined) return candidate;
  if (worker.failure !== undefined) return { ...candidate, failure: worker.failure };
  const deaths = candidate.deaths + 1;
  if (deaths <= FORGIVEN_DEATHS) return { ...candidate, deaths };
  const when = worker.state === "booting" ? "before it was ready" : "soon after it was ready";
  return { ...candidate, deaths, failure: { kind: "startup", message: `a worker ${how} ${when}` } };
}
