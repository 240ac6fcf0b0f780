/**
 * The desired state: what the arbiter wants, as plain data, and how events change it. What is (the
 * roster) and what is wanted meet in reconcile.
 *
 * A reload is a transaction. A new generation is a *candidate* until each slot has a ready worker of it;
 * then it is *established*. A candidate that fails is abandoned and the established one stands.
 */
import { MOST_WORKERS } from "../../config/settings.ts";
import { ExitCode } from "../../errors.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { Limits } from "./limits.ts";
import { type Roster, readyWorkers, type WorkerRecord } from "./roster.ts";

/** Unexplained deaths (a signal, an exit without a word) that a candidate is forgiven. */
const FORGIVEN_DEATHS = 1;

/**
 * A worker that served this long, in milliseconds, was sound: whatever ended it, the next one has every chance, and
 * is started at once. One that dies sooner, or before it is ready, gives reason to think that the next one will too.
 */
const SOUND_AFTER = 1000;

/** Rounds of such crashes in a row that are answered by new workers at once; after them the wait doubles each time. */
const CRASHES_AT_ONCE = 3;
const FIRST_WAIT = 250;
/** After workers that crashed when they had been ready: the app boots, so a request is the likely cause. */
const LONGEST_WAIT = 1000;
/** After a worker that could not boot. What it lacks (a database, say) may be back at any time. */
const LONGEST_BOOT_WAIT = 2000;

/** Workers that lived beside each other and crash within this are one round. */
const ROUND = 10_000;

/** How soon it is tried again, in milliseconds, to start a process where the system had no room for one. */
const START_AGAIN_AFTER = 1000;

/**
 * How long nothing is made of a worker that somebody else has stopped, in milliseconds. A signal to the whole process
 * group reaches all at once, but the arbiter may hear of its worker first.
 */
const SAME_SIGNAL = 250;

/** Signals closer together than this, in milliseconds, are one wish. */
const SAME_WISH = 500;

export interface Candidate {
  readonly generation: number;
  /** A worker of it has been ready. Until then it gets one worker only, and a newer reload may displace it. */
  readonly proven: boolean;
  /** How many workers its configuration wants: the target from the proof on. */
  readonly target: number;
  /** The target that comes back when it is abandoned. */
  readonly targetBefore: number;
  readonly deaths: number;
  /** Why it is to be abandoned. */
  readonly failure: BootFailure | undefined;
}

export interface Stop {
  readonly mode: "graceful" | "quick" | "kill";
  /** When this mode was asked for. */
  readonly askedAt: number;
  /** When the workers are told; until then the server serves on, and says that it is not ready. */
  readonly beginAt: number;
  readonly exitCode: ExitCode;
  /** The last line of the log, where the stop is not what somebody asked for. */
  readonly reason: string | undefined;
}

export interface Desired {
  /** How many ready workers. */
  readonly target: number;
  /** How many workers more than the target there may be while some are replaced. */
  readonly surge: number;
  readonly limits: Limits;
  /** The generation that serves; 0 until the first boot is complete. */
  readonly established: number;
  readonly candidate: Candidate | undefined;
  /** Another reload was asked for while one that cannot be displaced was under way. */
  readonly reloadAgain: boolean;
  /** Rounds of crashes in a row, of workers that were not sound. Those that fall with one that they had lived beside
   * are of its round. */
  readonly crashes: number;
  /** When the last round began. */
  readonly crashedAt: number;
  /** When workers of the generation that serves died unasked, as far back as the crash limit looks. */
  readonly deaths: readonly number[];
  /** The latest boot of a worker of the generation that serves has failed. */
  readonly bootsFail: boolean;
  /** Before this, workers of the generation that serves are spawned only as `respawnLimit` allows. */
  readonly notBefore: number;
  /** No worker of any generation is spawned before this; see `heldUntil` for what else holds them. */
  readonly startAgainAt: number;
  /** When somebody else than the arbiter last told a worker to stop. */
  readonly signalledAt: number;
  readonly stop: Stop | undefined;
}

/** What is wanted at the start: the first generation, with nothing to fall back to. */
export function firstBoot(target: number, surge: number, limits: Limits): Desired {
  return {
    target,
    surge,
    limits,
    established: 0,
    candidate: newCandidate(1, target, target),
    reloadAgain: false,
    crashes: 0,
    crashedAt: Number.NEGATIVE_INFINITY,
    deaths: [],
    bootsFail: false,
    notBefore: 0,
    startAgainAt: 0,
    signalledAt: Number.NEGATIVE_INFINITY,
    stop: undefined,
  };
}

function newCandidate(generation: number, target: number, targetBefore: number): Candidate {
  return { generation, proven: false, target, targetBefore, deaths: 0, failure: undefined };
}

/** The generation that every worker should be of. */
export function goalGeneration(desired: Desired): number {
  return desired.candidate?.generation ?? desired.established;
}

/**
 * The generation that serves: the established one or, while the first boot is not complete, the first one from its
 * proof on. 0 for none.
 */
export function servingGeneration({ established, candidate }: Desired): number {
  return established === 0 && candidate?.proven === true ? candidate.generation : established;
}

/** Workers have crashed so often in a row that it is no accident. */
export function isCrashSeries(desired: Desired): boolean {
  return desired.crashes > CRASHES_AT_ONCE;
}

/** How many slots there are: as many as the target says, and one to try a candidate in though there was none. */
export function slotCount(desired: Desired): number {
  const { candidate, target } = desired;
  return candidate !== undefined && candidate.target > 0 ? Math.max(1, target) : target;
}

/** Whether a reload can begin now, or has to wait for the one that is rolling out. */
export function canReload(desired: Desired): boolean {
  if (desired.stop !== undefined) return false;
  const { candidate } = desired;
  return candidate === undefined || (!candidate.proven && desired.established !== 0);
}

/**
 * A reload begins: generation `generation` is wanted, with `target` workers once it is proven. One under way that
 * has proven nothing is displaced.
 */
export function withCandidate(desired: Desired, generation: number, target: number, limits: Limits): Desired {
  const candidate = newCandidate(generation, target, desired.target);
  return { ...desired, limits, candidate, reloadAgain: false };
}

/** A worker of `generation` is ready: it proves the candidate, or shows that the generation that serves boots again. */
export function withReadiness(desired: Desired, generation: number): Desired {
  if (desired.bootsFail && generation === servingGeneration(desired))
    return { ...desired, bootsFail: false, notBefore: 0 };
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
    crashes: 0,
    deaths: [],
    bootsFail: false,
    notBefore: 0,
  };
}

/** The candidate failed: the established generation stands, or the server stops if there is none. */
export function withAbandoned(desired: Desired, limits: Limits, now: number): Desired {
  const { candidate } = desired;
  if (candidate?.failure === undefined) return desired;
  const { failure, targetBefore } = candidate;
  if (desired.established !== 0) return { ...desired, target: targetBefore, candidate: undefined, limits };
  const exitCode = failure.kind === "load" ? ExitCode.appLoad : ExitCode.workerBoot;
  return {
    ...desired,
    stop: { mode: "quick", askedAt: now, beginAt: now, exitCode, reason: failure.message },
  };
}

/**
 * A worker failed to boot, or its process has ended; `how` is what it did, for a sentence. What had been told
 * to stop changes nothing; the rest counts against its generation.
 */
export function withDeath(desired: Desired, worker: WorkerRecord, how: string, now: number): Desired {
  if (worker.state === "draining") return desired;
  const { candidate } = desired;
  if (candidate?.generation === worker.generation && !hasServedAlone(desired, worker)) {
    return { ...desired, candidate: candidateAfterDeath(candidate, worker, how) };
  }
  // A worker of a generation that was displaced or abandoned says nothing about the one that serves.
  if (worker.generation !== servingGeneration(desired)) return desired;
  return withinCrashLimit(withCrash(desired, worker, now), how, now);
}

/**
 * The process of a worker could not be started. That is no death: of the generation that serves it is tried again in
 * a while, and what is to replace that generation fails of it.
 */
export function withUnstarted(
  desired: Desired,
  worker: WorkerRecord,
  failure: BootFailure,
  now: number,
): Desired {
  if (worker.state === "draining") return desired;
  if (worker.generation === servingGeneration(desired))
    return { ...desired, startAgainAt: now + START_AGAIN_AFTER };
  const { candidate } = desired;
  if (candidate?.generation !== worker.generation) return desired;
  return { ...desired, candidate: { ...candidate, failure: candidate.failure ?? failure } };
}

/**
 * A worker is stopped by somebody else. Whoever sent the signal may have meant the server, whose own is then on its
 * way. If not, the worker is replaced; one of a candidate that was not ready yet counts as dead.
 */
export function withSignalled(desired: Desired, worker: WorkerRecord, now: number): Desired {
  if (worker.state === "draining") return desired;
  const { candidate, stop } = desired;
  const counts = worker.state === "booting" && worker.generation === candidate?.generation;
  const isStop = stop !== undefined && now - stop.askedAt < SAME_SIGNAL;
  return {
    ...desired,
    signalledAt: now,
    candidate: counts ? candidateAfterDeath(candidate, worker, "was stopped by a signal") : candidate,
    // Workers that stop cannot serve on until the drain begins.
    stop: isStop ? { ...stop, beginAt: Math.min(now, stop.beginAt) } : stop,
  };
}

/** Before this, no worker is spawned and no candidate is abandoned. */
export function heldUntil({ startAgainAt, signalledAt }: Desired): number {
  return Math.max(startAgainAt, signalledAt + SAME_SIGNAL);
}

/** Whether a worker of the generation that serves could not be started at `time` or later. */
export function wasUnstartedSince({ startAgainAt }: Desired, time: number): boolean {
  return startAgainAt - START_AGAIN_AFTER >= time;
}

/** There is nothing to fall back to, and the app boots: a request that crashes it must not end the server. */
function hasServedAlone(desired: Desired, worker: WorkerRecord): boolean {
  return desired.established === 0 && worker.readyAt !== undefined;
}

/** Whether it has served for so long that its end says nothing about the next one. */
export function isSound(worker: WorkerRecord, now: number): boolean {
  return worker.readyAt !== undefined && now - worker.readyAt >= SOUND_AFTER;
}

function withCrash(desired: Desired, worker: WorkerRecord, now: number): Desired {
  const within = desired.limits.crashes?.within ?? 0;
  const deaths = [...desired.deaths, now].filter((time) => now - time < within);
  // A wait that others have caused stands: what cannot be started now is not started in its place either.
  if (isSound(worker, now))
    return { ...desired, deaths, crashes: now < desired.notBefore ? desired.crashes : 0 };
  const bootsFail = worker.readyAt === undefined;
  const sameRound = worker.spawnedAt < desired.crashedAt && now - desired.crashedAt < ROUND;
  if (sameRound) return { ...desired, deaths, bootsFail };
  // What was started long after it might have been was not started because one had crashed.
  const inSeries = worker.spawnedAt < desired.notBefore + ROUND;
  const crashes = (inSeries ? desired.crashes : 0) + 1;
  return {
    ...desired,
    crashes,
    crashedAt: now,
    deaths,
    bootsFail,
    notBefore: now + waitAfter(crashes, bootsFail),
  };
}

/** Stops the server when too many workers have died too soon after each other. */
function withinCrashLimit(desired: Desired, how: string, now: number): Desired {
  const limit = desired.limits.crashes;
  if (limit === undefined || desired.deaths.length < limit.deaths || desired.stop !== undefined)
    return desired;
  const many = `${limit.deaths} workers have died within ${limit.within / 1000}s, which is the crash limit`;
  const reason = `${many}; the last one ${how}`;
  const exitCode = ExitCode.workerBoot;
  return { ...desired, stop: { mode: "graceful", askedAt: now, beginAt: now, exitCode, reason } };
}

function candidateAfterDeath(candidate: Candidate, worker: WorkerRecord, how: string): Candidate {
  if (candidate.failure !== undefined) return candidate;
  if (worker.failure !== undefined) return { ...candidate, failure: worker.failure };
  const deaths = candidate.deaths + 1;
  if (deaths <= FORGIVEN_DEATHS) return { ...candidate, deaths };
  const when = worker.state === "booting" ? "before it was ready" : "soon after it was ready";
  return { ...candidate, deaths, failure: { kind: "startup", message: `a worker ${how} ${when}` } };
}

/** How long to wait after the nth round of crashes in a row, in milliseconds. */
function waitAfter(crashes: number, bootsFail: boolean): number {
  if (crashes <= CRASHES_AT_ONCE) return 0;
  const longest = bootsFail ? LONGEST_BOOT_WAIT : LONGEST_WAIT;
  return Math.min(longest, FIRST_WAIT * 2 ** (crashes - CRASHES_AT_ONCE - 1));
}

/**
 * How many workers of the generation that serves may be spawned now.
 *
 * As long as none is ready, one is spawned at once, however often workers have crashed. The others keep the wait, so
 * that crash after crash costs the work of one boot at a time. Where workers cannot even boot, one at a time tries it,
 * and the others follow as soon as it is ready.
 */
export function respawnLimit(desired: Desired, roster: Roster, now: number): number {
  const generation = servingGeneration(desired);
  const isBooting = roster.some((worker) => worker.state === "booting" && worker.generation === generation);
  const waits = now < desired.notBefore;
  if (desired.bootsFail && isCrashSeries(desired)) return isBooting || waits ? 0 : 1;
  if (!waits) return Number.POSITIVE_INFINITY;
  return isBooting || readyWorkers(roster).length > 0 ? 0 : 1;
}

/** What somebody asks for during a reload holds however the reload ends. */
export function withTarget(desired: Desired, wanted: number): Desired {
  const target = Math.min(MOST_WORKERS, Math.max(0, wanted));
  const { candidate } = desired;
  return {
    ...desired,
    target,
    candidate: candidate && { ...candidate, target, targetBefore: target },
  };
}

/**
 * Stops the server, or hastens a stop under way; a gentler wish than the one under way is ignored. A first
 * wish waits `delay` milliseconds before the workers are told, a second one does not.
 */
export function withStop(desired: Desired, mode: Stop["mode"], now: number, delay = 0): Desired {
  const { stop } = desired;
  if (stop === undefined) {
    const beginAt = now - desired.signalledAt < SAME_SIGNAL ? now : now + delay;
    return { ...desired, stop: { mode, askedAt: now, beginAt, exitCode: ExitCode.ok, reason: undefined } };
  }
  const beginAt = Math.min(now, stop.beginAt);
  if (STOP_RANK[mode] > STOP_RANK[stop.mode]) {
    return { ...desired, stop: { ...stop, mode, askedAt: now, beginAt } };
  }
  return now - stop.askedAt < SAME_WISH ? desired : { ...desired, stop: { ...stop, askedAt: now, beginAt } };
}

const STOP_RANK = { graceful: 1, quick: 2, kill: 3 } as const;

/**
 * What a wish to stop gracefully means: repeated, it means quickly, then at once. A repetition within a moment
 * is the same wish, come twice: npm passes a signal on that the process group was sent anyway.
 */
export function hastenedStop(desired: Desired, now: number): Stop["mode"] {
  const { stop } = desired;
  if (stop === undefined) return "graceful";
  // A drain that has not begun begins now.
  if (now - stop.askedAt < SAME_WISH || now < stop.beginAt) return stop.mode;
  return stop.mode === "graceful" ? "quick" : "kill";
}
