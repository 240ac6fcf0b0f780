/**
 * The binary upgrade (USR2) in the old arbiter. It starts a new arbiter on the same sockets. Once all workers of the new
 * one are ready, this one drains its own and exits, or in manual mode waits for the signals of gunicorn's protocol. Until
 * its last worker has gone it can go back: if the new one fails, this one continues to serve.
 *
 * Until this arbiter has exited, people know its pid as the server's. A reload requested while it leaves is therefore
 * forwarded to the new one. A reload or a reopening of the logs requested while the new one boots is forwarded once that
 * is ready, since it may have read the old files.
 */
import type { Config } from "../../config/settings.ts";
import type { Outcome } from "../../control/api.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { processState } from "../../system/process-state.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Pool } from "../pool/pool.ts";
import type { Listener } from "../sockets/bind.ts";
import type { Stats } from "../stats/stats.ts";
import type { SuccessorEvent } from "./handover.ts";
import type { Invocation } from "./invocation.ts";
import type { Successor, SuccessorLaunch } from "./successor.ts";

/** The process of the new arbiter. */
export type NewArbiter = Pick<
  Successor,
  "pid" | "isReady" | "hasEnded" | "exited" | "leave" | "release" | "end" | "signal"
>;

/** The parts of the arbiter that this class needs. */
export interface UpgradeDependencies {
  readonly pool: Pool;
  readonly log: ErrorLog;
  /** Reports a step of the upgrade as an event, beside its log line. */
  report(message: string, isProblem: boolean): void;
  readonly invocation: Invocation;
  listeners(): readonly Listener[];
  config(): Pick<Config, "bootTimeout" | "upgradeMode">;
  /** The pid of the previous arbiter, as long as it is alive. */
  predecessorPid(): number | undefined;
  /** Starts the new arbiter's process; its events go to `handle`. */
  start(launch: SuccessorLaunch): NewArbiter;
  /** Await the result before starting the new arbiter; undefined if there is nothing to wait for. */
  beforeStart(): Promise<void> | undefined;
  /** Removes what a dead successor left behind. */
  cleanUpAfterSuccessor(pid: number): void;
  /** Cancels pending reloads of this arbiter, which leaves; `why` is their outcome. */
  withdrawReloads(why: string): void;
  /** Begins a reload of this arbiter. */
  reload(): void;
  /** The control socket and the health endpoint, for the successor to take over. */
  endpoints(): EndpointSockets;
  /** Resolves when the successor has taken them over. */
  endpointsTakenOver(): Promise<void>;
  reclaimEndpoints(): void;
  readonly stats: Pick<Stats, "board" | "upgradeEnded">;
}

/** Time for a new arbiter to start and report, beyond its workers' boot timeout. */
const START_ALLOWANCE_MS = 10_000;

export class Upgrade {
  readonly #dependencies: UpgradeDependencies;
  #successor: NewArbiter | undefined;
  #settle: (outcome: Outcome) => void = () => {};
  /** The target number of workers before this arbiter began to drain for the new one. */
  #targetBeforeDrain: number | undefined;
  #hasReleasedEndpoints = false;
  #aborted = false;
  #isPreparing = false;
  /** A reload, or a reopening of the logs, was requested since the new arbiter was started. */
  #isReloadRequested = false;
  #isReopenRequested = false;

  constructor(dependencies: UpgradeDependencies) {
    this.#dependencies = dependencies;
  }

  /** The pid of the new arbiter, unless it has ended or is being ended. */
  get successorPid(): number | undefined {
    const successor = this.#successor;
    return successor === undefined || successor.hasEnded || this.#aborted ? undefined : successor.pid;
  }

  /** Whether this arbiter drains because a new one serves. */
  get isLeaving(): boolean {
    return this.#targetBeforeDrain !== undefined;
  }

  /** Whether a new arbiter serves with all its workers, so that requests are served whatever happens to this one. */
  get isSuccessorReady(): boolean {
    return this.#successor?.isReady === true && this.hasSuccessor;
  }

  /** Whether a new arbiter has the same sockets. Its exit may not have been reported yet, hence the check of its state. */
  get hasSuccessor(): boolean {
    const pid = this.successorPid;
    return pid !== undefined && processState(pid) !== "zombie";
  }

  /** Starts the new arbiter. Resolves when its workers are ready or it has failed. */
  async begin(): Promise<Outcome> {
    const refusal = this.#refusal() ?? (await this.#prepare());
    if (refusal !== undefined) {
      this.#log("warning", `Upgrade refused: ${refusal}`);
      return { ok: false, error: refusal };
    }
    return this.#start();
  }

  /** Runs the hook `preExec`. Returns the reason to refuse the upgrade, if there is one by then. */
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
    const { invocation, start } = this.#dependencies;
    const launch = {
      invocation,
      listeners: this.#dependencies.listeners(),
      endpoints: this.#dependencies.endpoints(),
      scoreboard: this.#dependencies.stats.board.handover(),
      bootTimeout: this.#bootTimeout(),
    };
    this.#isReloadRequested = false;
    this.#isReopenRequested = false;
    this.#successor = start(launch);
    const { pid } = this.#successor;
    if (pid !== undefined) this.#log("info", `Upgrading: new arbiter with pid: ${pid}`);
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  #bootTimeout(): number {
    return this.#dependencies.config().bootTimeout + START_ALLOWANCE_MS;
  }

  #refusal(): string | undefined {
    const predecessor = this.#dependencies.predecessorPid();
    if (this.#dependencies.pool.desired.stop !== undefined) return "the server is stopping";
    if (this.#isPreparing) return "another upgrade is being prepared";
    if (this.#successor !== undefined)
      return `an upgrade to the arbiter with pid ${this.successorPid} is in progress`;
    if (predecessor !== undefined) return `the previous arbiter, with pid ${predecessor}, still runs`;
    // A container ends with its first process.
    if (process.pid === 1) return "this is process 1, and its container ends with it: start a new container";
    return undefined;
  }

  /** Notes a requested reload. Returns true if this arbiter is leaving and the new one has been signalled to do it. */
  forwardReload(): boolean {
    this.#isReloadRequested = true;
    return this.isLeaving && this.signal("SIGHUP");
  }

  /** Makes the new arbiter reopen its logs too: now, or once it is ready. */
  forwardReopen(): void {
    this.#isReopenRequested = true;
    if (this.#successor?.isReady === true) this.signal("SIGUSR1");
  }

  /** Forwards a signal to the new arbiter; returns false if there is none. */
  signal(signal: NodeJS.Signals): boolean {
    const pid = this.successorPid;
    if (pid === undefined || this.#successor?.signal(signal) !== true) return false;
    this.#dependencies.log.info(
      `Forwarded to the new arbiter (pid: ${pid}): ${signal.slice(3).toLowerCase()}`,
    );
    return true;
  }

  handle(event: SuccessorEvent): void {
    switch (event.type) {
      case "ready":
        this.#successorReady();
        return;
      case "overdue":
        this.#successor?.end(`the new arbiter was not ready within ${this.#bootTimeout() / 1000}s`);
        return;
      case "gone":
        this.#successorGone(event.why);
        return;
    }
  }

  /** Takes the next step if it is due. Call before the pool settles. */
  advance(): void {
    const { pool } = this.#dependencies;
    if (pool.desired.stop !== undefined) this.#handleStop();
    else if (this.isLeaving && pool.roster.length === 0) pool.stopGracefully();
  }

  /**
   * Completes the upgrade; call when the last worker has gone. Waits for a new arbiter that is being ended; makes one
   * that serves the server, and passes its pid to `handOver`.
   */
  async finish(handOver: (pid: number) => Promise<void>): Promise<void> {
    if (this.#aborted) await this.#successor?.exited;
    const { successorPid } = this;
    if (successorPid === undefined || !this.hasSuccessor) return;
    await handOver(successorPid);
    await this.#dependencies.endpointsTakenOver();
    this.#successor?.release();
    this.#log("info", `The new arbiter (pid: ${successorPid}) is the server now`);
  }

  #successorReady(): void {
    const { pool } = this.#dependencies;
    const pid = this.successorPid;
    if (this.#aborted) return;
    this.#dependencies.stats.upgradeEnded(true);
    if (this.#isReopenRequested) this.signal("SIGUSR1");
    if (pool.desired.stop !== undefined || this.#dependencies.config().upgradeMode === "manual") {
      this.#log("info", `New arbiter (pid: ${pid}) is ready, beside this one`);
      this.#settle({ ok: true, message: `the new arbiter (pid ${pid}) serves beside this one` });
      return;
    }
    this.#log("info", `New arbiter (pid: ${pid}) is ready: this one drains and quits`);
    this.#targetBeforeDrain = pool.desired.target;
    const reloads = this.#isReloadRequested && this.signal("SIGHUP");
    const serves = `the arbiter with pid ${pid} serves${reloads ? ", and reloads" : ""}`;
    this.#dependencies.withdrawReloads(`meanwhile the server was upgraded: ${serves}`);
    pool.scale(0);
    this.#settle({ ok: true, message: `the new arbiter (pid ${pid}) serves, this one drains` });
    this.#releaseEndpoints();
  }

  #successorGone(why: string): void {
    const { pool } = this.#dependencies;
    const { pid, isReady } = this.#successor ?? {};
    this.#successor = undefined;
    this.#dependencies.stats.board.otherGone("successor");
    if (isReady !== true) this.#dependencies.stats.upgradeEnded(false);
    if (pid !== undefined) this.#dependencies.cleanUpAfterSuccessor(pid);
    this.#settle({ ok: false, error: why });
    if (this.#aborted) return;
    const targetBeforeDrain = this.#targetBeforeDrain;
    this.#targetBeforeDrain = undefined;
    if (pool.desired.stop !== undefined) {
      this.#log("info", `New arbiter (pid: ${pid}) has ended, too: ${why}`);
      return;
    }
    if (this.#hasReleasedEndpoints) this.#dependencies.reclaimEndpoints();
    this.#hasReleasedEndpoints = false;
    if (isReady === true && targetBeforeDrain === undefined) {
      this.#log("warning", `New arbiter (pid: ${pid}) has ended: ${why}`);
      return;
    }
    this.#log("error", `Upgrade failed, this arbiter continues to serve: ${why}`);
    if (targetBeforeDrain === undefined) return;
    pool.scale(targetBeforeDrain);
    // A reload that was forwarded to the new arbiter is lost with it.
    if (this.#isReloadRequested) this.#dependencies.reload();
  }

  /** Logs a step, and reports it as an event. */
  #log(level: "info" | "warning" | "error", message: string): void {
    this.#dependencies.log[level](message);
    this.#dependencies.report(message, level !== "info");
  }

  #releaseEndpoints(): void {
    if (this.#hasReleasedEndpoints) return;
    this.#hasReleasedEndpoints = true;
    this.#successor?.leave();
  }

  /** A stop ends a new arbiter that is booting, too. One that serves, or is to stay in manual mode, takes over. */
  #handleStop(): void {
    const successor = this.#successor;
    if (successor === undefined || this.#aborted) return;
    if (successor.isReady || this.#dependencies.config().upgradeMode === "manual") {
      this.#releaseEndpoints();
      return;
    }
    this.#aborted = true;
    this.#log("info", `Upgrade aborted: stopping the new arbiter (pid: ${successor.pid}), too`);
    successor.end("the server was stopped");
  }
}
