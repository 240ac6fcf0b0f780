/**
 * The pool: the desired state and the roster, and how events and actions change them. It knows no process: it acts through
 * `PoolEffects`, so that tests run it as the arbiter does, without processes.
 */
import { QUIT_TIMEOUT_MS } from "../../config/stop-time.ts";
import type { ExitCode } from "../../errors.ts";
import type { BootStep } from "../../ipc/boot-step.ts";
import type { Beat, BootFailure } from "../../ipc/messages.ts";
import { bootOverdue } from "../workers/boot-overdue.ts";
import { withDeath } from "./crashes.ts";
import { type Desired, servingGeneration, withTarget } from "./desired.ts";
import type { Limits } from "./limits.ts";
import { type Action, reconcile } from "./reconcile.ts";
import { withAbandoned, withCandidate, withEstablished, withReadiness } from "./rollout.ts";
import * as roster from "./roster.ts";
import { withSignalled, withUnstarted } from "./spawn-holds.ts";
import { hastenedStop, withStop } from "./stop.ts";
import { stopCause } from "./stop-cause.ts";

/** How the pool acts, and what it reports. */
export interface PoolEffects {
  spawn(id: number, slot: number, generation: number): void;
  /** Tells a worker to stop. */
  order(id: number, order: "drain" | "quit"): void;
  kill(id: number, why: roster.KillReason): void;
  /** A draining worker has not finished in time: its requests are about to be cut. */
  overdue(id: number): void;
  /** A worker of the serving generation could not boot. */
  bootFailed(id: number, failure: BootFailure): void;
  /** A worker of the serving generation could not be started; the pool retries. */
  unstarted(failure: BootFailure): void;
  /** Every slot has a worker of this generation. */
  established(generation: number): void;
  /** The first candidate failed: returns a generation to serve in its place, or undefined to stop the server. */
  substitute(failure: BootFailure): number | undefined;
  /** The candidate failed; `established` keeps serving, or none if that is 0. */
  abandoned(failure: BootFailure, established: number): void;
  /** The limits of a generation's configuration. */
  limits(generation: number): Limits;
}

/** Workers started per turn of the loop. Starting a process takes milliseconds, in which the arbiter handles no event. */
const MAX_SPAWNS_PER_TURN = 4;

/** More rounds than any event can cause: a pool that does not settle is a bug in reconcile. */
const MAX_ROUNDS = 1000;

export class Pool {
  readonly #effects: PoolEffects;
  readonly #now: () => number;
  #desired: Desired;
  #roster: roster.Roster = [];
  #spawned = 0;
  #exitCode: ExitCode | undefined;

  /** @param now milliseconds of a monotonic clock */
  constructor(desired: Desired, effects: PoolEffects, now: () => number) {
    this.#desired = desired;
    this.#effects = effects;
    this.#now = now;
  }

  /** The time of the clock that the roster's times are from. */
  get now(): number {
    return this.#now();
  }

  get desired(): Desired {
    return this.#desired;
  }

  get roster(): roster.Roster {
    return this.#roster;
  }

  /** Defined once the last worker of a stopping server has exited. */
  get exitCode(): ExitCode | undefined {
    return this.#exitCode;
  }

  find(id: number): roster.WorkerRecord | undefined {
    return roster.findWorker(this.#roster, id);
  }

  scale(target: number): void {
    this.#desired = withTarget(this.#desired, target);
  }

  /** @param delay milliseconds to keep serving before the workers are told; only for the first request to stop */
  stopGracefully(delay = 0): void {
    const now = this.#now();
    this.#desired = withStop(this.#desired, hastenedStop(this.#desired, now), now, delay);
  }

  stopQuickly(): void {
    this.#desired = withStop(this.#desired, "quick", this.#now());
  }

  /** Begins a reload. Check `canReload` first. */
  reload(generation: number, target: number): void {
    const limits = this.#effects.limits(generation);
    this.#desired = withCandidate(this.#desired, generation, target, limits);
  }

  /** Records that another reload was requested, or that it has begun. */
  setReloadQueued(isQueued: boolean): void {
    this.#desired = { ...this.#desired, reloadQueued: isQueued };
  }

  /** Replaces a worker though nothing is wrong with it. */
  expire(id: number, cause: roster.StopCause): void {
    this.#roster = roster.withExpiring(this.#roster, id, cause);
  }

  workerReady(id: number): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    const now = this.#now();
    this.#roster =
      worker.state === "draining"
        ? roster.withLateReady(this.#roster, id, now, now + this.#desired.limits.graceful)
        : roster.withReady(this.#roster, id, now);
    this.#desired = withReadiness(this.#desired, worker.generation);
  }

  /** A booting worker enters a step; undefined if it is in none. */
  workerEnters(id: number, step: BootStep | undefined): void {
    this.#roster = roster.withBootStep(this.#roster, id, step);
  }

  /** A worker's event loop is blocked at these frames, or turns again if undefined. */
  workerStuck(id: number, frames: readonly string[] | undefined): void {
    this.#roster = roster.withStall(this.#roster, id, frames);
  }

  /** A worker may stand still for `milliseconds`, because it is examined; 0: the examination is over. */
  workerExamined(id: number, milliseconds: number): void {
    this.#roster = roster.withExamined(this.#roster, id, this.#now() + milliseconds);
  }

  workerBeat(id: number, beat: Beat): void {
    this.#roster = roster.withBeat(this.#roster, id, beat, this.#now());
  }

  /** A worker stops because of a signal that the arbiter did not send, or because its app closed its server. */
  workerSignalled(id: number, cause: roster.StopCause): void {
    const worker = this.find(id);
    if (worker !== undefined) this.#desired = withSignalled(this.#desired, worker, this.#now());
    const stopBy = this.#now() + this.#desired.limits.graceful;
    this.#roster = roster.withStopping(this.#roster, id, "drain", stopBy, cause);
  }

  /** A worker cannot boot. That counts as its death; the exit that follows does not count again. */
  workerFailed(id: number, failure: BootFailure): void {
    this.#roster = roster.withFailure(this.#roster, id, failure);
    const worker = this.find(id);
    if (worker === undefined || worker.state === "draining") return;
    const now = this.#now();
    const ofCandidate = worker.generation === this.#desired.candidate?.generation;
    this.#desired = withDeath(this.#desired, worker, "failed to boot", now);
    this.#roster = roster.withStopping(this.#roster, id, "quit", now + QUIT_TIMEOUT_MS);
    // A candidate's failure is reported once, when it is abandoned.
    if (!ofCandidate) this.#effects.bootFailed(id, failure);
  }

  /** A worker's process could not be started. */
  workerUnstarted(id: number, failure: BootFailure): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    this.#desired = withUnstarted(this.#desired, worker, failure, this.#now());
    this.#roster = roster.withoutWorker(this.#roster, id);
    if (worker.generation === servingGeneration(this.#desired)) this.#effects.unstarted(failure);
  }

  /** A worker's process has ended. `how` is what it did, to continue "a worker …". */
  workerGone(id: number, how: string): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    this.#desired = withDeath(this.#desired, worker, how, this.#now());
    this.#roster = roster.withoutWorker(this.#roster, id);
  }

  /**
   * Carries out the plans of reconcile until one is empty or enough workers are started for this turn. Returns when to call
   * it again at the latest.
   */
  settle(): number | undefined {
    const limit = this.#spawned + MAX_SPAWNS_PER_TURN;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const plan = reconcile(this.#desired, this.#roster, this.#now());
      for (const action of plan.actions) {
        if (action.type === "spawn" && this.#spawned >= limit) return this.#now();
        this.#carryOut(action);
      }
      if (plan.actions.length === 0 || this.#exitCode !== undefined) return plan.wakeAt;
    }
    throw new Error("the worker pool does not settle");
  }

  #carryOut(action: Action): void {
    const now = this.#now();
    switch (action.type) {
      case "spawn":
        this.#spawn(action.slot, action.generation, now);
        return;
      case "drain":
        this.#order(action.id, "drain", now + this.#desired.limits.graceful);
        return;
      case "dismiss":
        // Never "quit": the word that it serves may be on its way, and it would break off requests.
        this.#order(action.id, "drain", now + QUIT_TIMEOUT_MS);
        return;
      case "quit":
        if (action.overdue) this.#effects.overdue(action.id);
        this.#order(action.id, "quit", now + QUIT_TIMEOUT_MS);
        return;
      case "kill":
        this.#kill(action.id, action.why, now);
        return;
      case "commit":
        this.#desired = withEstablished(this.#desired);
        this.#effects.established(this.#desired.established);
        return;
      case "abandon":
        this.#abandon(now);
        return;
      case "exit":
        this.#exitCode = this.#desired.stop?.exitCode ?? 0;
        return;
    }
  }

  #spawn(slot: number, generation: number, now: number): void {
    const id = ++this.#spawned;
    const maxSilence = this.#effects.limits(generation).silence;
    this.#roster = roster.withSpawned(this.#roster, { id, slot, generation, maxSilence }, now);
    this.#effects.spawn(id, slot, generation);
  }

  #order(id: number, order: "drain" | "quit", stopBy: number): void {
    const worker = this.find(id);
    const cause = worker && stopCause(worker, this.#desired);
    this.#roster = roster.withStopping(this.#roster, id, order, stopBy, cause);
    this.#effects.order(id, order);
  }

  #kill(id: number, why: roster.KillReason, now: number): void {
    const worker = this.find(id);
    if (why === "boot-timeout" && worker !== undefined)
      this.workerFailed(id, bootOverdue(worker, this.#desired.limits.boot));
    if (why === "silence" && worker !== undefined) {
      this.#desired = withDeath(this.#desired, worker, "was stuck", now);
    }
    this.#roster = roster.withKill(this.#roster, id, why, now);
    this.#effects.kill(id, why);
  }

  #abandon(now: number): void {
    const { candidate, established } = this.#desired;
    if (candidate?.failure === undefined) return;
    const substitute = established === 0 ? this.#effects.substitute(candidate.failure) : undefined;
    if (substitute !== undefined) {
      const { reloadQueued, target } = this.#desired;
      this.reload(substitute, target);
      this.setReloadQueued(reloadQueued);
      return;
    }
    const limits = established === 0 ? this.#desired.limits : this.#effects.limits(established);
    this.#desired = withAbandoned(this.#desired, limits, now);
    this.#effects.abandoned(candidate.failure, established);
  }
}
