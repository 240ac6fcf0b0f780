/**
 * The pool: desired state and roster together, and the rules by which events and actions change them.
 * It knows no process: what is to be done to one goes through `PoolEffects`, so that the pool as it runs
 * in the arbiter can be tested as it is, with workers that only exist on paper.
 */
import { QUIT_TIME } from "../../config/stop-time.ts";
import type { ExitCode } from "../../errors.ts";
import type { BootStep } from "../../ipc/boot-step.ts";
import type { Beat, BootFailure } from "../../ipc/messages.ts";
import { bootOverdue } from "../workers/boot-overdue.ts";
import * as want from "./desired.ts";
import type { Limits } from "./limits.ts";
import { type Action, type KillReason, reconcile } from "./reconcile.ts";
import * as roster from "./roster.ts";

/** What the pool has done to the world. */
export interface PoolEffects {
  spawn(id: number, slot: number, generation: number): void;
  /** Tells a worker to stop. */
  order(id: number, order: "drain" | "quit"): void;
  kill(id: number, why: KillReason): void;
  /** A worker that drains has not finished in time: what it has is about to be cut. */
  overdue(id: number): void;
  /** A worker that serves, or is to replace one that does, could not boot. */
  bootFailed(id: number, failure: BootFailure): void;
  /** A worker of the generation that serves could not be started; it is tried again a moment later. */
  unstarted(failure: BootFailure): void;
  /** Every slot has a worker of this generation. */
  established(generation: number): void;
  /** The first candidate failed: a generation to serve in its place, or undefined to stop the server. */
  substitute(failure: BootFailure): number | undefined;
  /** The candidate failed; `established` stands, or nothing is left if that is 0. */
  abandoned(failure: BootFailure, established: number): void;
  /** The time limits to go by for a generation. */
  limits(generation: number): Limits;
}

/** So many workers are started in one go: to start a process takes milliseconds, in which the arbiter hears nobody. */
const SPAWNS_AT_ONCE = 4;

/** More rounds than any event can cause; a pool that never comes to rest is a mistake in reconcile. */
const MOST_ROUNDS = 1000;

export class Pool {
  readonly #effects: PoolEffects;
  readonly #now: () => number;
  #desired: want.Desired;
  #roster: roster.Roster = [];
  #spawned = 0;
  #exitCode: ExitCode | undefined;

  /** @param now milliseconds of a monotonic clock */
  constructor(desired: want.Desired, effects: PoolEffects, now: () => number) {
    this.#desired = desired;
    this.#effects = effects;
    this.#now = now;
  }

  /** The time, by the clock that the roster's times are of. */
  get now(): number {
    return this.#now();
  }

  get desired(): want.Desired {
    return this.#desired;
  }

  get roster(): roster.Roster {
    return this.#roster;
  }

  /** Set once a stopping server has lost its last worker. */
  get exitCode(): ExitCode | undefined {
    return this.#exitCode;
  }

  find(id: number): roster.WorkerRecord | undefined {
    return roster.findWorker(this.#roster, id);
  }

  scale(target: number): void {
    this.#desired = want.withTarget(this.#desired, target);
  }

  /** @param delay milliseconds to serve on before the workers are told, the first time */
  stopGracefully(delay = 0): void {
    const now = this.#now();
    this.#desired = want.withStop(this.#desired, want.hastenedStop(this.#desired, now), now, delay);
  }

  stopQuickly(): void {
    this.#desired = want.withStop(this.#desired, "quick", this.#now());
  }

  /** Begins a reload; `canReload` says whether it can. */
  reload(generation: number, target: number): void {
    const limits = this.#effects.limits(generation);
    this.#desired = want.withCandidate(this.#desired, generation, target, limits);
  }

  /** Remembers that another reload was asked for, or that it has been seen to. */
  reloadAgain(wanted: boolean): void {
    this.#desired = { ...this.#desired, reloadAgain: wanted };
  }

  /** Has a worker replaced though nothing is wrong with it. */
  expire(id: number): void {
    this.#roster = roster.withExpiring(this.#roster, id);
  }

  workerReady(id: number): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    this.#roster = roster.withReady(this.#roster, id, this.#now());
    this.#desired = want.withReadiness(this.#desired, worker.generation);
  }

  /** What a worker does next on its way to being ready. */
  workerEnters(id: number, step: BootStep | undefined): void {
    this.#roster = roster.withBootStep(this.#roster, id, step);
  }

  /** A worker's event loop is blocked at these frames, or turns again. */
  workerStuck(id: number, frames: readonly string[] | undefined): void {
    this.#roster = roster.withStall(this.#roster, id, frames);
  }

  workerBeat(id: number, beat: Beat): void {
    this.#roster = roster.withBeat(this.#roster, id, beat, this.#now());
  }

  /** A worker stops because it was sent a signal, and not by the arbiter. */
  workerSignalled(id: number): void {
    const worker = this.find(id);
    if (worker !== undefined) this.#desired = want.withSignalled(this.#desired, worker, this.#now());
    const stopBy = this.#now() + this.#desired.limits.graceful;
    this.#roster = roster.withStopping(this.#roster, id, "drain", stopBy);
  }

  /** A worker cannot boot: that counts now, and its exit, which follows, does not count again. */
  workerFailed(id: number, failure: BootFailure): void {
    this.#roster = roster.withFailure(this.#roster, id, failure);
    const worker = this.find(id);
    if (worker === undefined || worker.state === "draining") return;
    const now = this.#now();
    const ofCandidate = worker.generation === this.#desired.candidate?.generation;
    this.#desired = want.withDeath(this.#desired, worker, "failed to boot", now);
    this.#roster = roster.withStopping(this.#roster, id, "quit", now + QUIT_TIME);
    // What a candidate fails of is told once, when it is abandoned.
    if (!ofCandidate) this.#effects.bootFailed(id, failure);
  }

  /** A worker's process could not be started. */
  workerUnstarted(id: number, failure: BootFailure): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    this.#desired = want.withUnstarted(this.#desired, worker, failure, this.#now());
    this.#roster = roster.withoutWorker(this.#roster, id);
    if (worker.generation === want.servingGeneration(this.#desired)) this.#effects.unstarted(failure);
  }

  /** A worker's process has ended; `how` is what it did, for a sentence. */
  workerGone(id: number, how: string): void {
    const worker = this.find(id);
    if (worker === undefined) return;
    this.#desired = want.withDeath(this.#desired, worker, how, this.#now());
    this.#roster = roster.withoutWorker(this.#roster, id);
  }

  /**
   * Does what reconcile says until it has nothing more to say, or has had many workers started; returns when to do so
   * again at the latest.
   */
  settle(): number | undefined {
    const most = this.#spawned + SPAWNS_AT_ONCE;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const plan = reconcile(this.#desired, this.#roster, this.#now());
      for (const action of plan.actions) {
        if (action.type === "spawn" && this.#spawned >= most) return this.#now();
        this.#carryOut(action);
      }
      if (plan.actions.length === 0 || this.#exitCode !== undefined) return plan.wakeAt;
    }
    throw new Error("the worker pool does not come to rest");
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
      case "quit":
        if (action.overdue) this.#effects.overdue(action.id);
        this.#order(action.id, "quit", now + QUIT_TIME);
        return;
      case "kill":
        this.#kill(action.id, action.why, now);
        return;
      case "commit":
        this.#desired = want.withEstablished(this.#desired);
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
    this.#roster = roster.withStopping(this.#roster, id, order, stopBy);
    this.#effects.order(id, order);
  }

  #kill(id: number, why: KillReason, now: number): void {
    const worker = this.find(id);
    if (why === "boot-timeout" && worker !== undefined)
      this.workerFailed(id, bootOverdue(worker, this.#desired.limits.boot));
    if (why === "silence" && worker !== undefined) {
      this.#desired = want.withDeath(this.#desired, worker, "was stuck", now);
    }
    this.#roster = roster.withStopping(this.#roster, id, "kill", now);
    this.#effects.kill(id, why);
  }

  #abandon(now: number): void {
    const { candidate, established } = this.#desired;
    if (candidate?.failure === undefined) return;
    const substitute = established === 0 ? this.#effects.substitute(candidate.failure) : undefined;
    if (substitute !== undefined) {
      const { reloadAgain, target } = this.#desired;
      this.reload(substitute, target);
      this.reloadAgain(reloadAgain);
      return;
    }
    const limits = established === 0 ? this.#desired.limits : this.#effects.limits(established);
    this.#desired = want.withAbandoned(this.#desired, limits, now);
    this.#effects.abandoned(candidate.failure, established);
  }
}
