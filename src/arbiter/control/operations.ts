/**
 * The operations that a signal or the control interface can request. While this arbiter leaves for its successor, an
 * operation is passed on, refused, or done in both.
 */
import { type Config, MAX_WORKERS } from "../../config/settings.ts";
import { tooManyWorkers } from "../../config/worker-addresses.ts";
import type { Outcome, StopMode } from "../../control/api.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { Logs } from "../logs/logs.ts";
import type { Pool } from "../pool/pool.ts";
import type { Generations } from "../reload/generations.ts";
import type { Reload } from "../reload/reload.ts";
import type { Predecessor } from "../upgrade/handover.ts";
import type { Upgrade } from "../upgrade/upgrade.ts";
import type { WorkerProcesses } from "../workers/worker-processes.ts";

export interface OperationDependencies {
  /** The configuration at the start. */
  readonly startConfig: Pick<Config, "drainDelay" | "workerBind">;
  readonly pool: Pool;
  readonly generations: Generations;
  readonly logs: Logs;
  readonly arbiterLog: ArbiterLog;
  readonly workerProcesses: WorkerProcesses;
  readonly reload: Reload;
  readonly upgrade: Upgrade;
  readonly predecessor: Predecessor | undefined;
}

export class Operations {
  readonly #dependencies: OperationDependencies;

  /** @param dependencies need not exist before the first operation */
  constructor(dependencies: OperationDependencies) {
    this.#dependencies = dependencies;
  }

  /** Reloads the server: this arbiter, or its successor if this one leaves. */
  reload(): void {
    const { upgrade, reload } = this.#dependencies;
    if (upgrade.forwardReload()) return;
    // As in gunicorn, because logs are rotated by HUP too. Workers reopen theirs as well: they stay if the reload fails.
    this.reopenLogs();
    reload.request();
  }

  /** Watched files have changed. The successor watches them too. */
  reloadFor(changed: readonly string[]): void {
    const { upgrade, reload } = this.#dependencies;
    if (!upgrade.isLeaving) reload.requestFor(changed);
  }

  upgrade(): Promise<Outcome> {
    return this.#dependencies.upgrade.begin();
  }

  addWorker(): void {
    const { pool, upgrade, arbiterLog, startConfig } = this.#dependencies;
    const { target } = pool.desired;
    const lack = tooManyWorkers(startConfig.workerBind, target + 1);
    if (upgrade.isLeaving) arbiterLog.noWorkerWhileLeaving(upgrade.successorPid);
    else if (target >= MAX_WORKERS) arbiterLog.noWorkerAtLimit(target);
    else if (lack !== undefined) arbiterLog.noWorkerWithoutAddress(lack);
    else pool.scale(target + 1);
  }

  removeWorker(): void {
    const { pool } = this.#dependencies;
    pool.scale(pool.desired.target - 1);
  }

  removeAllWorkers(): void {
    this.#dependencies.pool.scale(0);
  }

  reopenLogs(): Outcome {
    const { logs, generations, workerProcesses, upgrade } = this.#dependencies;
    const outcome = logs.reopen(generations.configs);
    workerProcesses.broadcast({ type: "reopen" });
    upgrade.forwardReopen();
    return outcome;
  }

  /** Stops this arbiter; repeated, it hastens the stop. */
  stop(mode: StopMode): void {
    const { pool, upgrade, startConfig, arbiterLog } = this.#dependencies;
    if (mode === "quick") {
      pool.stopQuickly();
      return;
    }
    // An arbiter that leaves accepts no requests, so it need not wait until proxies have noticed.
    const drainDelay = upgrade.isLeaving ? 0 : startConfig.drainDelay;
    if (drainDelay > 0 && pool.desired.stop === undefined) arbiterLog.drainDelayed(drainDelay);
    pool.stopGracefully(drainDelay);
  }

  /** Stops the whole server: this arbiter and, while one of them leaves for the other, the other one too. */
  stopServer(mode: StopMode): void {
    const { predecessor, upgrade } = this.#dependencies;
    const signal = mode === "quick" ? "SIGQUIT" : "SIGTERM";
    predecessor?.signal(signal);
    if (upgrade.isLeaving) upgrade.signal(signal);
    this.stop(mode);
  }
}
