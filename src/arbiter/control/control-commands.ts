/**
 * Connects the control interface to the arbiter's loop. A command becomes an event in the mailbox, like a signal. It is
 * pending until the pool has reached the requested state or has failed to.
 */
import type {
  Controllable,
  Health,
  Outcome,
  StatusReport,
  StopMode,
  WorkerReport,
} from "../../control/api.ts";
import type { Examinable } from "../../control/examination.ts";
import type { Desired } from "../pool/desired.ts";
import type { Pool } from "../pool/pool.ts";
import { unreadyReasons, workerCountText } from "../pool/readiness.ts";
import { activeWorkers, readyWorkers } from "../pool/roster.ts";
import { wasUnstartedSince } from "../pool/spawn-holds.ts";
import type { Generations } from "../reload/generations.ts";
import type { LostSocket } from "../sockets/listeners.ts";

/** A command, and the function that receives its outcome. */
export type ControlCommand = (
  | { readonly name: "reload" | "upgrade" | "reopen" }
  | { readonly name: "scale"; readonly workers: number }
  | { readonly name: "restart"; readonly pid: number }
  | { readonly name: "stop"; readonly mode: StopMode }
) & { settle(outcome: Outcome): void };

type CommandRequest = ControlCommand extends infer Each
  ? Each extends ControlCommand
    ? Omit<Each, "settle">
    : never
  : never;

/** The parts of the arbiter that this class needs. */
export interface ControlDependencies {
  readonly pool: Pool;
  readonly generations: Pick<Generations, "begunAt" | "newest" | "placeholderFor">;
  post(command: ControlCommand): void;
  pidOf(id: number): number | undefined;
  reload(): void;
  upgrade(): Promise<Outcome>;
  reopen(): Outcome;
  stop(mode: StopMode): void;
  /** The pid of the new arbiter, while this one drains for it. */
  leavingFor(): number | undefined;
  describe(): ServerDescription;
  examinations(): Promise<Examinable>;
  /** Number of ready workers that the server needs to be ready. */
  readonly minReady: number;
  /** Why there cannot be as many workers; undefined if there can. */
  tooManyWorkers(workers: number): string | undefined;
  /** Where clients reach the worker of a slot alone; undefined if they cannot. */
  addressOf(slot: number): string | undefined;
  isSuccessorReady(): boolean;
  /** Unix sockets that clients cannot reach. */
  lostSockets(): readonly LostSocket[];
}

/** The facts about the server that do not change with its state. */
export type ServerDescription = Pick<
  StatusReport,
  "name" | "version" | "app" | "folder" | "startedIn" | "config" | "listening"
>;

interface PendingCommand {
  /** Returns the outcome once there is one. */
  check(pool: Pool): Outcome | undefined;
  readonly settle: (outcome: Outcome) => void;
}

interface PendingReload {
  /** The first generation that was begun after the request. */
  readonly since: number;
  readonly settle: (outcome: Outcome) => void;
}

const STOPPING: Outcome = { ok: false, error: "the server is stopping" };

function success(message: string): Outcome {
  return { ok: true, message };
}

function failedReload(why: string, detail: string | undefined, established: number): Outcome {
  const error = `${why}; generation ${established} continues to serve`;
  return { ok: false, error, ...(detail !== undefined && { detail }) };
}

/** Why a command of `time` that needs a new worker will not succeed soon; undefined while it still may. */
function spawnFailureSince(desired: Desired, time: number): "crash" | "cannot be started" | undefined {
  if (desired.crashRoundAt >= time) return "crash";
  return wasUnstartedSince(desired, time) ? "cannot be started" : undefined;
}

export class ControlCommands implements Controllable {
  readonly #dependencies: ControlDependencies;
  readonly #startedAt = performance.now();
  readonly #startTime = new Date();
  #pending: PendingCommand[] = [];
  #reloads: PendingReload[] = [];

  constructor(dependencies: ControlDependencies) {
    this.#dependencies = dependencies;
  }

  // ---- called by the control interface

  status(): StatusReport {
    const { pool, generations } = this.#dependencies;
    const { desired, roster } = pool;
    const { ready, reason } = this.health();
    return {
      ...this.#dependencies.describe(),
      pid: process.pid,
      startedAt: this.#startTime.toISOString(),
      uptime: Math.round(performance.now() - this.#startedAt),
      generation: desired.established,
      generationStartedAt: generations.begunAt(desired.established)?.toISOString() ?? null,
      workers: { target: desired.target, ready: readyWorkers(roster).length },
      state: this.#state(),
      ready,
      reason,
    };
  }

  workers(): WorkerReport[] {
    const { now } = this.#dependencies.pool;
    return this.#dependencies.pool.roster.map((worker) => ({
      pid: this.#dependencies.pidOf(worker.id) ?? 0,
      slot: worker.slot,
      generation: worker.generation,
      state: worker.state,
      age: Math.round(now - worker.spawnedAt),
      connections: worker.lastBeat?.connections ?? 0,
      requests: worker.lastBeat?.requests ?? 0,
      silence: worker.lastBeat === undefined ? null : Math.round(now - worker.lastBeat.at),
      address: this.#dependencies.addressOf(worker.slot) ?? null,
      notReady: worker.lastBeat?.notReady ?? null,
    }));
  }

  health(): Health {
    const { pool, minReady, generations } = this.#dependencies;
    const { desired, roster, now } = pool;
    const isBroken = generations.placeholderFor(desired.established) !== undefined;
    const reasons = unreadyReasons({
      desired,
      roster,
      now,
      minReady,
      isBroken,
      isSuccessorReady: this.#dependencies.isSuccessorReady(),
      lostSockets: this.#dependencies.lostSockets(),
    });
    return {
      live: true,
      started: desired.established > 0,
      ready: reasons.length === 0,
      reason: reasons.join("; ") || "ok",
    };
  }

  reload(): Promise<Outcome> {
    return this.#post({ name: "reload" });
  }

  upgrade(): Promise<Outcome> {
    return this.#post({ name: "upgrade" });
  }

  reopen(): Promise<Outcome> {
    return this.#post({ name: "reopen" });
  }

  scale(count: number): Promise<Outcome> {
    return this.#post({ name: "scale", workers: count });
  }

  restart(pid: number): Promise<Outcome> {
    return this.#post({ name: "restart", pid });
  }

  examinations(): Promise<Examinable> {
    return this.#dependencies.examinations();
  }

  stop(mode: StopMode): Promise<Outcome> {
    return this.#post({ name: "stop", mode });
  }

  #post(command: CommandRequest): Promise<Outcome> {
    return new Promise((settle) => this.#dependencies.post({ ...command, settle }));
  }

  #state(): StatusReport["state"] {
    const { desired, roster } = this.#dependencies.pool;
    if (desired.stop !== undefined) return "stopping";
    if (desired.established === 0) return "booting";
    if (desired.candidate !== undefined) return "reloading";
    return readyWorkers(roster).length > 0 ? "serving" : "down";
  }

  // ---- called by the loop

  handle(command: ControlCommand): void {
    const successor = this.#dependencies.leavingFor();
    if (successor !== undefined && command.name !== "stop") {
      command.settle({
        ok: false,
        error: `the new arbiter (pid ${successor}) is taking over: repeat the command`,
      });
      return;
    }
    if (this.#dependencies.pool.desired.stop !== undefined && command.name !== "stop") {
      command.settle(STOPPING);
      return;
    }
    switch (command.name) {
      case "reload":
        this.#reloads.push({ since: this.#dependencies.generations.newest + 1, settle: command.settle });
        this.#dependencies.reload();
        return;
      case "upgrade":
        this.#dependencies
          .upgrade()
          .then(command.settle, (error: Error) => command.settle({ ok: false, error: error.message }));
        return;
      case "reopen":
        command.settle(this.#dependencies.reopen());
        return;
      case "scale":
        this.#scale(command.workers, command.settle);
        return;
      case "restart":
        this.#restart(command.pid, command.settle);
        return;
      case "stop":
        this.#dependencies.stop(command.mode);
        command.settle(
          success(command.mode === "quick" ? "stopping at once" : "stopping: waiting for requests in flight"),
        );
        return;
    }
  }

  #scale(count: number, settle: PendingCommand["settle"]): void {
    const { pool, tooManyWorkers } = this.#dependencies;
    const refusal = tooManyWorkers(count);
    if (refusal !== undefined) {
      settle({ ok: false, error: refusal });
      return;
    }
    const requestedAt = pool.now;
    pool.scale(count);
    const check = ({ desired, roster }: Pool): Outcome | undefined => {
      if (desired.target !== count)
        return { ok: false, error: `meanwhile the target was set to ${workerCountText(desired.target)}` };
      const failure = spawnFailureSince(desired, requestedAt);
      if (failure !== undefined) return { ok: false, error: `workers ${failure}: the log says why` };
      const ready = readyWorkers(roster).length;
      return ready === count && activeWorkers(roster).length === count
        ? success(`${workerCountText(count)} ready`)
        : undefined;
    };
    this.#pending.push({ check, settle });
  }

  #restart(pid: number, settle: PendingCommand["settle"]): void {
    const { pool } = this.#dependencies;
    const worker = activeWorkers(pool.roster).find(({ id }) => this.#dependencies.pidOf(id) === pid);
    if (worker === undefined) {
      settle({ ok: false, error: `no serving worker has the pid ${pid}` });
      return;
    }
    const requestedAt = pool.now;
    pool.expire(worker.id, { reason: "restart", text: "the command restart" });
    const check = ({ desired, roster }: Pool): Outcome | undefined => {
      if (activeWorkers(roster).some(({ id }) => id === worker.id)) {
        const failure = spawnFailureSince(desired, requestedAt);
        if (failure === undefined) return undefined;
        const does = failure === "crash" ? "crashes" : failure;
        return { ok: false, error: `its replacement ${does}: the log says why` };
      }
      const next = readyWorkers(roster).find(({ slot }) => slot === worker.slot);
      if (next !== undefined)
        return success(`worker ${pid} was replaced by ${this.#dependencies.pidOf(next.id)}`);
      return worker.slot > desired.target ? success(`worker ${pid} is no longer needed`) : undefined;
    };
    this.#pending.push({ check, settle });
  }

  /** Settles the pending commands that have an outcome. Call when the pool has settled. */
  checkPending(): void {
    const { pool } = this.#dependencies;
    const stopping = pool.desired.stop !== undefined;
    this.#pending = this.#pending.filter((command) => {
      const outcome = stopping ? STOPPING : command.check(pool);
      if (outcome !== undefined) command.settle(outcome);
      return outcome === undefined;
    });
    if (stopping) this.#endReloads(Number.POSITIVE_INFINITY, STOPPING);
  }

  reloadDone(generation: number): void {
    this.#endReloads(
      generation,
      success(
        `generation ${generation} serves with ${workerCountText(this.#dependencies.pool.desired.target)}`,
      ),
    );
  }

  /** `detail` is the app's own stack, if the app is at fault. */
  reloadFailed(generation: number, why: string, detail: string | undefined, established: number): void {
    this.#endReloads(generation, failedReload(why, detail, established));
  }

  /** Generation `generation` could not be made. Reloads that wait for an earlier one, which may still roll out, stay pending. */
  reloadNotBegun(generation: number, why: string, detail: string | undefined, established: number): void {
    this.#endReloads(generation, failedReload(why, detail, established), generation);
  }

  reloadsWithdrawn(why: string): void {
    this.#endReloads(Number.POSITIVE_INFINITY, { ok: false, error: why });
  }

  /** Settles the reloads that wait for a generation from `first` to `last`. */
  #endReloads(last: number, outcome: Outcome, first = 0): void {
    const isDue = ({ since }: PendingReload): boolean => since >= first && since <= last;
    const due = this.#reloads.filter(isDue);
    this.#reloads = this.#reloads.filter((reload) => !isDue(reload));
    for (const reload of due) reload.settle(outcome);
  }
}
