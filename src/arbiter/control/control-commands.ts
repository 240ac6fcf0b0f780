/**
 * Where the control interface meets the arbiter's loop: a request becomes an event in the mailbox like any
 * signal, and its answer waits until the pool is as was asked for, or cannot be.
 */
import type {
  Controllable,
  Health,
  Outcome,
  StatusReport,
  StopMode,
  WorkerReport,
} from "../../control/api.ts";
import type { Desired } from "../pool/desired.ts";
import type { Pool } from "../pool/pool.ts";
import { unreadyReasons, workerCountText } from "../pool/readiness.ts";
import { activeWorkers, readyWorkers } from "../pool/roster.ts";
import { wasUnstartedSince } from "../pool/spawn-holds.ts";
import type { Generations } from "../reload/generations.ts";
import type { LostSocket } from "../sockets/listeners.ts";

/** What can be asked, with where the outcome goes. */
export type ControlCommand = (
  | { readonly name: "reload" | "upgrade" | "reopen" }
  | { readonly name: "scale"; readonly workers: number }
  | { readonly name: "restart"; readonly pid: number }
  | { readonly name: "stop"; readonly mode: StopMode }
) & { settle(outcome: Outcome): void };

type Asked = ControlCommand extends infer Each
  ? Each extends ControlCommand
    ? Omit<Each, "settle">
    : never
  : never;

/** What the desk needs of the arbiter. */
export interface ControlDependencies {
  readonly pool: Pool;
  readonly generations: Pick<Generations, "newest" | "placeholderFor">;
  post(command: ControlCommand): void;
  pidOf(id: number): number | undefined;
  reload(): void;
  upgrade(): Promise<Outcome>;
  reopen(): Outcome;
  stop(mode: StopMode): void;
  /** The new arbiter's pid, while this one drains for it. */
  leavingFor(): number | undefined;
  describe(): Pick<StatusReport, "name" | "version" | "app" | "listening">;
  /** How many workers must be ready for the server to be. */
  readonly minReady: number;
  /** A new arbiter serves. */
  isSuccessorReady(): boolean;
  /** The Unix sockets that clients cannot reach. */
  lostSockets(): readonly LostSocket[];
}

/** Something asked for that has not come about yet. */
interface Wish {
  /** The outcome, once there is one. */
  check(pool: Pool): Outcome | undefined;
  readonly settle: (outcome: Outcome) => void;
}

interface ReloadWish {
  /** The first generation that was begun after the wish. */
  readonly since: number;
  readonly settle: (outcome: Outcome) => void;
}

const STOPPING: Outcome = { ok: false, error: "the server is stopping" };

function done(message: string): Outcome {
  return { ok: true, message };
}

function failedReload(why: string, detail: string | undefined, established: number): Outcome {
  const error = `${why}; generation ${established} serves on`;
  return { ok: false, error, ...(detail !== undefined && { detail }) };
}

/** Why a wish of `time` that takes a new worker does not come true soon; undefined as long as nothing speaks against it. */
function troubleSince(desired: Desired, time: number): "crash" | "cannot be started" | undefined {
  if (desired.crashRoundAt >= time) return "crash";
  return wasUnstartedSince(desired, time) ? "cannot be started" : undefined;
}

export class ControlCommands implements Controllable {
  readonly #dependencies: ControlDependencies;
  readonly #startedAt = performance.now();
  #wishes: Wish[] = [];
  #reloads: ReloadWish[] = [];

  constructor(dependencies: ControlDependencies) {
    this.#dependencies = dependencies;
  }

  // ---- asked from outside the loop

  status(): StatusReport {
    const { pool } = this.#dependencies;
    const { desired, roster } = pool;
    return {
      ...this.#dependencies.describe(),
      pid: process.pid,
      uptime: Math.round(performance.now() - this.#startedAt),
      generation: desired.established,
      workers: { target: desired.target, ready: readyWorkers(roster).length },
      state: this.#state(),
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
    return { live: true, ready: reasons.length === 0, reason: reasons.join("; ") || "ok" };
  }

  reload(): Promise<Outcome> {
    return this.#ask({ name: "reload" });
  }

  upgrade(): Promise<Outcome> {
    return this.#ask({ name: "upgrade" });
  }

  reopen(): Promise<Outcome> {
    return this.#ask({ name: "reopen" });
  }

  scale(count: number): Promise<Outcome> {
    return this.#ask({ name: "scale", workers: count });
  }

  restart(pid: number): Promise<Outcome> {
    return this.#ask({ name: "restart", pid });
  }

  stop(mode: StopMode): Promise<Outcome> {
    return this.#ask({ name: "stop", mode });
  }

  #ask(asked: Asked): Promise<Outcome> {
    return new Promise((settle) => this.#dependencies.post({ ...asked, settle }));
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
    const heir = this.#dependencies.leavingFor();
    if (heir !== undefined && command.name !== "stop") {
      command.settle({
        ok: false,
        error: `the arbiter with pid ${heir} serves in this one's place: ask again`,
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
        command.settle(done(command.mode === "quick" ? "stopping at once" : "stopping when all is answered"));
        return;
    }
  }

  #scale(count: number, settle: Wish["settle"]): void {
    const { pool } = this.#dependencies;
    const askedAt = pool.now;
    pool.scale(count);
    const check = ({ desired, roster }: Pool): Outcome | undefined => {
      if (desired.target !== count)
        return { ok: false, error: `meanwhile ${workerCountText(desired.target)} were asked for` };
      const trouble = troubleSince(desired, askedAt);
      if (trouble !== undefined) return { ok: false, error: `workers ${trouble}: the log says why` };
      const ready = readyWorkers(roster).length;
      return ready === count && activeWorkers(roster).length === count
        ? done(`${workerCountText(count)} ready`)
        : undefined;
    };
    this.#wishes.push({ check, settle });
  }

  #restart(pid: number, settle: Wish["settle"]): void {
    const { pool } = this.#dependencies;
    const worker = activeWorkers(pool.roster).find(({ id }) => this.#dependencies.pidOf(id) === pid);
    if (worker === undefined) {
      settle({ ok: false, error: `no worker that serves has the pid ${pid}` });
      return;
    }
    const askedAt = pool.now;
    pool.expire(worker.id);
    const check = ({ desired, roster }: Pool): Outcome | undefined => {
      if (activeWorkers(roster).some(({ id }) => id === worker.id)) {
        const trouble = troubleSince(desired, askedAt);
        if (trouble === undefined) return undefined;
        const does = trouble === "crash" ? "crashes" : trouble;
        return { ok: false, error: `its replacement ${does}: the log says why` };
      }
      const next = readyWorkers(roster).find(({ slot }) => slot === worker.slot);
      if (next !== undefined)
        return done(`worker ${pid} is replaced by ${this.#dependencies.pidOf(next.id)}`);
      return worker.slot > desired.target ? done(`worker ${pid} is not needed any more`) : undefined;
    };
    this.#wishes.push({ check, settle });
  }

  /** Looks, whenever the pool has settled, which wishes have come true. */
  checkPending(): void {
    const { pool } = this.#dependencies;
    const stopping = pool.desired.stop !== undefined;
    this.#wishes = this.#wishes.filter((wish) => {
      const outcome = stopping ? STOPPING : wish.check(pool);
      if (outcome !== undefined) wish.settle(outcome);
      return outcome === undefined;
    });
    if (stopping) this.#endReloads(Number.POSITIVE_INFINITY, STOPPING);
  }

  reloadDone(generation: number): void {
    this.#endReloads(
      generation,
      done(`generation ${generation} serves with ${workerCountText(this.#dependencies.pool.desired.target)}`),
    );
  }

  /** `detail` is the app's own stack, where that is to blame. */
  reloadFailed(generation: number, why: string, detail: string | undefined, established: number): void {
    this.#endReloads(generation, failedReload(why, detail, established));
  }

  /** Generation `generation` could not be made. Those who wait for an earlier one, which may still roll out, go on waiting. */
  reloadNotBegun(generation: number, why: string, detail: string | undefined, established: number): void {
    this.#endReloads(generation, failedReload(why, detail, established), generation);
  }

  reloadsWithdrawn(why: string): void {
    this.#endReloads(Number.POSITIVE_INFINITY, { ok: false, error: why });
  }

  /** Settles the wishes that the generations from `first` to `last` were made for. */
  #endReloads(last: number, outcome: Outcome, first = 0): void {
    const isDue = ({ since }: ReloadWish): boolean => since >= first && since <= last;
    const due = this.#reloads.filter(isDue);
    this.#reloads = this.#reloads.filter((wish) => !isDue(wish));
    for (const wish of due) wish.settle(outcome);
  }
}
