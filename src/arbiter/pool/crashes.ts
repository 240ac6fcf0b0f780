/**
 * Crashes, and how soon new workers replace those that crashed. A worker that served for a while was sound: whatever ended
 * it, its replacement has every chance and starts at once. One that dies sooner, or before it is ready, suggests that the
 * next one will too. Such crashes are counted in rounds, since workers that ran at the same time may die of one cause;
 * the first rounds are replaced at once, and after them the wait doubles each time.
 */
import { ExitCode } from "../../errors.ts";
import { type Desired, servingGeneration } from "./desired.ts";
import { candidateAfterDeath } from "./rollout.ts";
import { type Roster, readyWorkers, type WorkerRecord } from "./roster.ts";

/** A worker that served this long was sound. */
const SOUND_AFTER_MS = 1000;

/** Workers that ran at the same time and crash within this time are one round. */
const ROUND_MS = 10_000;

/** Rounds in a row that are replaced without a wait. */
const MAX_ROUNDS_WITHOUT_WAIT = 3;
const FIRST_WAIT_MS = 250;
/** After workers that crashed when they had been ready: the app boots, so a request is the likely cause. */
const MAX_CRASH_WAIT_MS = 1000;
/** After a worker that could not boot. What it lacks (a database, say) may be back at any time. */
const MAX_BOOT_WAIT_MS = 2000;

/**
 * A worker failed to boot, or its process has ended. The end of a worker that was told to stop changes nothing; any other
 * counts against its generation.
 *
 * @param how what it did, to continue "a worker …"
 */
export function withDeath(desired: Desired, worker: WorkerRecord, how: string, now: number): Desired {
  if (worker.state === "draining") return desired;
  const { candidate } = desired;
  if (candidate?.generation === worker.generation && !hasServedAlone(desired, worker)) {
    return { ...desired, candidate: candidateAfterDeath(candidate, worker, how) };
  }
  // A worker of a displaced or abandoned generation tells nothing about the serving one.
  if (worker.generation !== servingGeneration(desired)) return desired;
  return withinCrashLimit(withCrash(desired, worker, now), how, now);
}

/** At the first boot there is nothing to fall back to, so a request that crashes an app that boots must not end the server. */
function hasServedAlone(desired: Desired, worker: WorkerRecord): boolean {
  return desired.established === 0 && worker.readyAt !== undefined;
}

/** Whether the worker served long enough that its end tells nothing about the next one. */
export function isSound(worker: WorkerRecord, now: number): boolean {
  return worker.readyAt !== undefined && now - worker.readyAt >= SOUND_AFTER_MS;
}

/** Whether workers have crashed in so many rounds that new ones must wait. */
export function isCrashSeries(desired: Desired): boolean {
  return desired.crashRounds > MAX_ROUNDS_WITHOUT_WAIT;
}

function withCrash(desired: Desired, worker: WorkerRecord, now: number): Desired {
  const within = desired.limits.crashes?.within ?? 0;
  const deathTimes = [...desired.deathTimes, now].filter((time) => now - time < within);
  // A sound worker's end does not shorten a wait that others caused.
  if (isSound(worker, now)) {
    const isWaiting = now < desired.respawnsLimitedUntil;
    return { ...desired, deathTimes, crashRounds: isWaiting ? desired.crashRounds : 0 };
  }
  const lastBootFailed = worker.readyAt === undefined;
  const isSameRound = worker.spawnedAt < desired.crashRoundAt && now - desired.crashRoundAt < ROUND_MS;
  if (isSameRound) return { ...desired, deathTimes, lastBootFailed };
  // A worker spawned long after the wait was over did not replace a crashed one.
  const isInSeries = worker.spawnedAt < desired.respawnsLimitedUntil + ROUND_MS;
  const crashRounds = (isInSeries ? desired.crashRounds : 0) + 1;
  return {
    ...desired,
    crashRounds,
    crashRoundAt: now,
    deathTimes,
    lastBootFailed,
    respawnsLimitedUntil: now + waitAfter(crashRounds, lastBootFailed),
  };
}

/** Stops the server when too many workers have died too soon after each other. */
function withinCrashLimit(desired: Desired, how: string, now: number): Desired {
  const limit = desired.limits.crashes;
  if (limit === undefined || desired.deathTimes.length < limit.deaths || desired.stop !== undefined)
    return desired;
  const many = `${limit.deaths} workers have died within ${limit.within / 1000}s, which is the crash limit`;
  const reason = `${many}; the last one ${how}`;
  const exitCode = ExitCode.workerBoot;
  return { ...desired, stop: { mode: "graceful", requestedAt: now, beginAt: now, exitCode, reason } };
}

/** How long to wait after the nth round in a row, in milliseconds. */
function waitAfter(rounds: number, lastBootFailed: boolean): number {
  if (rounds <= MAX_ROUNDS_WITHOUT_WAIT) return 0;
  const longest = lastBootFailed ? MAX_BOOT_WAIT_MS : MAX_CRASH_WAIT_MS;
  return Math.min(longest, FIRST_WAIT_MS * 2 ** (rounds - MAX_ROUNDS_WITHOUT_WAIT - 1));
}

/**
 * How many workers of the serving generation may be spawned now.
 *
 * While none is ready, one is spawned at once, however often workers have crashed. The others wait, so that repeated
 * crashes cost the work of one boot at a time. If workers cannot even boot, one at a time tries, after the wait, and the
 * others follow as soon as it is ready.
 */
export function respawnLimit(desired: Desired, roster: Roster, now: number): number {
  const generation = servingGeneration(desired);
  const isBooting = roster.some((worker) => worker.state === "booting" && worker.generation === generation);
  const isWaiting = now < desired.respawnsLimitedUntil;
  if (desired.lastBootFailed && isCrashSeries(desired)) return isBooting || isWaiting ? 0 : 1;
  if (!isWaiting) return Number.POSITIVE_INFINITY;
  return isBooting || readyWorkers(roster).length > 0 ? 0 : 1;
}
