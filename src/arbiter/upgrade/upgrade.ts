/**
 * The binary upgrade (USR2), as the old arbiter sees it. A new arbiter is started beside this one, on the same
 * sockets. Once all its workers are ready this one drains its own and quits, or, in the manual mode, waits for
 * the signals of gunicorn's protocol. Until its last worker is gone there is a way back: when the new one
 * fails, this one serves on as if nothing had happened.
 *
 * Until this arbiter is gone, people know its pid as the server's. So a reload that is asked of it while it leaves is
 * passed on to the new one. A reload or a reopening of the logs that is asked for while the new one boots is passed on
 * as soon as that is ready, since it may have read what was there before.
 */
import type { Config } from "../../config/settings.ts";
import type { Outcome } from "../../control/api.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { processState } from "../../system/process-state.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Pool } from "../pool/pool.ts";
import type { Listener } from "../sockets/bind.ts";
import type { SuccessorEvent } from "./handover.ts";
import type { Invocation } from "./invocation.ts";
import type { Successor, SuccessorLaunch } from "./successor.ts";

/** The new arbiter's process. */
export type NewArbiter = Pick<
  Successor,
  "pid" | "isReady" | "hasEnded" | "exited" | "leave" | "release" | "end" | "signal"
>;

/** What the upgrade needs of the arbiter. */
export interface UpgradeDependencies {
  readonly pool: Pool;
  readonly log: ErrorLog;
  readonly invocation: Invocation;
  listeners(): readonly Listener[];
  config(): Pick<Config, "bootTimeout" | "upgradeMode">;
  /** The arbiter before this one, as long as it lives. */
  predecessorPid(): number | undefined;
  /** Starts the new arbiter's process; what becomes of it comes to `take`. */
  start(launch: SuccessorLaunch): NewArbiter;
  /** To be waited for before the new arbiter is started; undefined where there is nothing to wait for. */
  beforeStart(): Promise<void> | undefined;
  /** Clears up behind a new arbiter that has ended. */
  cleanUpAfterSuccessor(pid: number): void;
  /** This arbiter leaves: what was asked of it before is not begun any more, and whoever waits is told why. */
  withdrawReloads(why: string): void;
  /** Begins a reload of this arbiter. */
  reload(): void;
  /** The control socket and the health endpoint, for the successor to take. */
  endpoints(): EndpointSockets;
  /** Resolves when it has taken them. */
  endpointsTakenOver(): Promise<void>;
  reclaimEndpoints(): void;
}

/** What a new arbiter may take beyond its workers' boot timeout, in milliseconds: to start, and to say so. */
const START_TIME = 10_000;

export class Upgrade {
  readonly #dependencies: UpgradeDependencies;
  #successor: NewArbiter | undefined;
  #settle: (outcome: Outcome) => void = () => {};
  /** How many workers there were before this arbiter began to drain for the new one. */
  #drainedFrom: number | undefined;
  #hasLeftDoors = false;
  #aborted = false;
  #isPreparing = false;
  /** A reload, or a reopening of the logs, was asked for since the new arbiter was started. */
  #isReloadRequested = false;
  #isReopenRequested = false;

  constructor(dependencies: UpgradeDependencies) {
    this.#dependencies = dependencies;
  }

  /** The new arbiter, while there is one that is to stay: it serves the same sockets. */
  get successorPid(): number | undefined {
    const successor = this.#successor;
    return successor === undefined || successor.hasEnded || this.#aborted ? undefined : successor.pid;
  }

  /** This arbiter drains because a new one serves. */
  get isLeaving(): boolean {
    return this.#drainedFrom !== undefined;
  }

  /** The service is in good hands whatever becomes of this arbiter: all workers of a new one were ready. */
  get isSuccessorReady(): boolean {
    return this.#successor?.isReady === true && this.hasSuccessor;
  }

  /** A new arbiter serves the same sockets. The end of one that is ending may not have been heard of yet. */
  get hasSuccessor(): boolean {
    const pid = this.successorPid;
    return pid !== undefined && processState(pid) !== "zombie";
  }

  /** Starts the new arbiter. The outcome comes when its workers are ready, or it has failed. */
  async begin(): Promise<Outcome> {
    const { log } = this.#dependencies;
    const refusal = this.#refusal() ?? (await this.#prepare());
    if (refusal !== undefined) {
      log.warning(`Upgrade refused: ${refusal}`);
      return { ok: false, error: refusal };
    }
    return this.#start();
  }

  /** Returns what speaks against the upgrade, then. */
  async #prepare(): Promise<string | undefined> {
    this.#isPreparing = true;
    try {
      await this.#dependencies.beforeStart();
    } catch (error) {
      return (error as Error).message;
    } finally {
      this.#isPreparing = false;
    }
    return this.#refusal();
  }

  #start(): Promise<Outcome> {
    const { log, invocation, start } = this.#dependencies;
    const launch = {
      invocation,
      listeners: this.#dependencies.listeners(),
      endpoints: this.#dependencies.endpoints(),
      bootTime: this.#bootTime(),
    };
    this.#isReloadRequested = false;
    this.#isReopenRequested = false;
    this.#successor = start(launch);
    const { pid } = this.#successor;
    if (pid !== undefined) log.info(`Upgrading: new arbiter with pid: ${pid}`);
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  #bootTime(): number {
    return this.#dependencies.config().bootTimeout + START_TIME;
  }

  #refusal(): string | undefined {
    const predecessor = this.#dependencies.predecessorPid();
    if (this.#dependencies.pool.desired.stop !== undefined) return "the server is stopping";
    if (this.#isPreparing) return "one is being prepared";
    if (this.#successor !== undefined)
      return `one is under way, to the arbiter with pid ${this.successorPid}`;
    if (predecessor !== undefined) return `the arbiter before this one, with pid ${predecessor}, still runs`;
    // With the first process of a container everything in it ends.
    if (process.pid === 1) return "this is process 1, which cannot be followed: start a new container";
    return undefined;
  }

  /** A reload is asked for. True when this arbiter leaves, and the new one has been told. */
  forwardReload(): boolean {
    this.#isReloadRequested = true;
    return this.isLeaving && this.signal("SIGHUP");
  }

  /** This arbiter has reopened its log files. */
  forwardReopen(): void {
    this.#isReopenRequested = true;
    if (this.#successor?.isReady === true) this.signal("SIGUSR1");
  }

  /** Passes a signal on to the new arbiter; false where there is none. */
  signal(signal: NodeJS.Signals): boolean {
    const pid = this.successorPid;
    if (pid === undefined || this.#successor?.signal(signal) !== true) return false;
    this.#dependencies.log.info(
      `Passed on to the new arbiter (pid: ${pid}): ${signal.slice(3).toLowerCase()}`,
    );
    return true;
  }

  handle(event: SuccessorEvent): void {
    switch (event.type) {
      case "ready":
        this.#successorReady();
        return;
      case "overdue":
        this.#successor?.end(`the new arbiter was not ready within ${this.#bootTime() / 1000}s`);
        return;
      case "gone":
        this.#successorGone(event.why);
        return;
    }
  }

  /** Looks, before the pool settles, whether it is time for the next step. */
  advance(): void {
    const { pool } = this.#dependencies;
    const stopping = pool.desired.stop !== undefined;
    if (stopping) this.#leave();
    else if (this.isLeaving && pool.roster.length === 0) pool.stopGracefully();
  }

  /**
   * To be called when the last worker has gone: waits for a new arbiter that was told to go, and makes one
   * that serves the server. `handOver` is told its pid.
   */
  async finish(handOver: (pid: number) => Promise<void>): Promise<void> {
    if (this.#aborted) await this.#successor?.exited;
    const { successorPid } = this;
    if (successorPid === undefined || !this.hasSuccessor) return;
    await handOver(successorPid);
    await this.#dependencies.endpointsTakenOver();
    this.#successor?.release();
    this.#dependencies.log.info(`The new arbiter (pid: ${successorPid}) serves on`);
  }

  #successorReady(): void {
    const { pool, log } = this.#dependencies;
    const pid = this.successorPid;
    if (this.#aborted) return;
    if (this.#isReopenRequested) this.signal("SIGUSR1");
    if (pool.desired.stop !== undefined || this.#dependencies.config().upgradeMode === "manual") {
      log.info(`New arbiter (pid: ${pid}) is ready, beside this one`);
      this.#settle({ ok: true, message: `the new arbiter (pid ${pid}) serves beside this one` });
      return;
    }
    log.info(`New arbiter (pid: ${pid}) is ready: this one drains and quits`);
    this.#drainedFrom = pool.desired.target;
    const reloads = this.#isReloadRequested && this.signal("SIGHUP");
    const serves = `the arbiter with pid ${pid} serves${reloads ? ", and reloads" : ""}`;
    this.#dependencies.withdrawReloads(`meanwhile the server was upgraded: ${serves}`);
    pool.scale(0);
    this.#settle({ ok: true, message: `the new arbiter (pid ${pid}) serves, this one drains` });
    this.#leaveDoors();
  }

  #successorGone(why: string): void {
    const { pool, log } = this.#dependencies;
    const { pid, isReady } = this.#successor ?? {};
    this.#successor = undefined;
    if (pid !== undefined) this.#dependencies.cleanUpAfterSuccessor(pid);
    this.#settle({ ok: false, error: why });
    if (this.#aborted) return;
    const drainedFrom = this.#drainedFrom;
    this.#drainedFrom = undefined;
    if (pool.desired.stop !== undefined) {
      log.info(`New arbiter (pid: ${pid}) is gone, too: ${why}`);
      return;
    }
    if (this.#hasLeftDoors) this.#dependencies.reclaimEndpoints();
    this.#hasLeftDoors = false;
    if (isReady === true && drainedFrom === undefined) {
      log.warning(`New arbiter (pid: ${pid}) is gone: ${why}`);
      return;
    }
    log.error(`Upgrade failed, this arbiter serves on: ${why}`);
    if (drainedFrom === undefined) return;
    pool.scale(drainedFrom);
    // The new arbiter took along what it was asked for.
    if (this.#isReloadRequested) this.#dependencies.reload();
  }

  #leaveDoors(): void {
    if (this.#hasLeftDoors) return;
    this.#hasLeftDoors = true;
    this.#successor?.leave();
  }

  /** Who stops this server means the one that boots, too; one that is to stay serves already. */
  #leave(): void {
    const successor = this.#successor;
    if (successor === undefined || this.#aborted) return;
    if (successor.isReady || this.#dependencies.config().upgradeMode === "manual") {
      this.#leaveDoors();
      return;
    }
    this.#aborted = true;
    this.#dependencies.log.info(`Upgrade given up: the new arbiter (pid: ${successor.pid}) is ended, too`);
    successor.end("the server was stopped");
  }
}
