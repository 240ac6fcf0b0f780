/**
 * The reload, from the request to its outcome; in between the pool replaces the workers. The configuration is read
 * outside the loop, and an error there changes nothing. Overlapping reloads become one: a configuration read before the
 * newest request may be outdated. The pool keeps running during the read, so whether the reload can begin is checked
 * again afterwards.
 */
import type { Configuration } from "../../config/config.ts";
import type { Config } from "../../config/settings.ts";
import type { FatalError } from "../../errors.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import { workerCount } from "../../system/cpu-limit.ts";
import type { ControlCommands } from "../control/control-commands.ts";
import type { ReloadEvent } from "../event.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { Logs } from "../logs/logs.ts";
import type { Pool } from "../pool/pool.ts";
import { canReload } from "../pool/rollout.ts";
import type { Listeners } from "../sockets/listeners.ts";
import type { Stats } from "../stats/stats.ts";
import { keepFixedSettings, keepFixedTrace } from "./fixed-settings.ts";
import { type Generations, NO_TRACE } from "./generations.ts";

/** Dependencies on the arbiter. */
export interface ReloadDependencies {
  readonly pool: Pool;
  readonly generations: Generations;
  readonly commands: ControlCommands;
  readonly arbiterLog: ArbiterLog;
  readonly logs: Logs;
  readonly stats: Pick<Stats, "reloadRequested" | "reloadEnded" | "reloadWithdrawn">;
  /** Reads the configuration. An error leaves everything unchanged. */
  readConfiguration(): Promise<Configuration>;
  /** Runs the app's preflight if the configuration asks for it. */
  preflight(config: Config): Promise<void>;
  /** Rebinds Unix sockets whose files are gone, for the next generation. */
  rebindSockets(): Promise<void>;
  readonly sockets: Pick<Listeners, "begun" | "withdrawn" | "established" | "abandoned">;
  /** Posts the result of the read to the mailbox, which calls `handle`. */
  post(event: ReloadEvent): void;
}

export class Reload {
  readonly #dependencies: ReloadDependencies;
  #isReading = false;
  /** The reload was withdrawn: discard the configuration being read. */
  #isWithdrawn = false;
  /** The configuration of the next reload, which begins when the current rollout has ended. */
  #nextConfiguration: Configuration | undefined;
  /** The changed files that caused the reload. */
  readonly #changedFiles = new Set<string>();

  constructor(dependencies: ReloadDependencies) {
    this.#dependencies = dependencies;
  }

  /** The configuration is being read. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Begins a reload, or queues it while one that cannot be displaced is under way. */
  request(): void {
    const { pool, post } = this.#dependencies;
    if (pool.desired.stop !== undefined) return;
    this.#dependencies.stats.reloadRequested();
    this.#dependencies.arbiterLog.reloadRequested();
    if (this.#isReading || !canReload(pool.desired)) {
      pool.setReloadQueued(true);
      return;
    }
    this.#isReading = true;
    this.#read().then(
      (configuration) => post({ type: "read", configuration }),
      (error) => post({ type: "unreadable", error }),
    );
  }

  async #read(): Promise<Configuration> {
    const configuration = await this.#dependencies.readConfiguration();
    await this.#dependencies.preflight(configuration.config);
    await this.#dependencies.rebindSockets();
    return configuration;
  }

  /** Requests a reload because files have changed. */
  requestFor(files: readonly string[]): void {
    for (const file of files) this.#changedFiles.add(file);
    this.request();
  }

  /** Drops reloads that have not begun, and notifies clients that wait for one of the reason. */
  withdraw(why: string): void {
    const { pool, commands } = this.#dependencies;
    pool.setReloadQueued(false);
    this.#nextConfiguration = undefined;
    this.#dependencies.sockets.withdrawn();
    this.#isWithdrawn = this.#isReading;
    this.#changedFiles.clear();
    this.#dependencies.stats.reloadWithdrawn();
    commands.reloadsWithdrawn(why);
  }

  /** The configuration has been read, or could not be. */
  handle(event: ReloadEvent): void {
    const isWithdrawn = this.#isWithdrawn;
    this.#isReading = false;
    this.#isWithdrawn = false;
    if (isWithdrawn) {
      this.#dependencies.sockets.withdrawn();
      this.#beginNext();
    } else if (event.type === "read") this.#begin(event.configuration);
    else this.#fail(event.error);
  }

  #begin(read: Configuration): void {
    const { pool, generations, arbiterLog, logs } = this.#dependencies;
    const { established, reloadQueued, stop } = pool.desired;
    if (stop !== undefined) return;
    if (reloadQueued) {
      this.#beginNext();
      return;
    }
    if (!canReload(pool.desired)) {
      this.#nextConfiguration = read;
      return;
    }
    const current = generations.configOf(established);
    const config = keepFixedSettings(read.config, current, logs.errors);
    try {
      logs.prepare(config);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const trace = keepFixedTrace(read.trace ?? NO_TRACE, generations.traceOf(established));
    const generation = generations.add({ config, hooks: read.hooks, trace, tls: read.tls });
    this.#dependencies.sockets.begun(generation);
    logs.adopt(config);
    arbiterLog.reloading(generation, [...this.#changedFiles]);
    arbiterLog.withoutEffect(config, current);
    this.#changedFiles.clear();
    pool.reload(generation, workerCount(config.workers));
  }

  #fail(error: Error): void {
    const { pool, generations, arbiterLog, commands } = this.#dependencies;
    const { established, reloadQueued } = pool.desired;
    const { message, detail } = error as FatalError;
    this.#dependencies.sockets.withdrawn();
    this.#dependencies.stats.reloadEnded(message);
    arbiterLog.reloadFailed(established, message, detail);
    // The error's own stack contains only tsgun's frames, which do not help.
    if (!reloadQueued) commands.reloadNotBegun(generations.newest + 1, message, detail, established);
    this.#beginNext();
  }

  /** Every slot has a worker of this generation. */
  established(generation: number): void {
    const { pool, generations, arbiterLog, commands } = this.#dependencies;
    generations.established(generation);
    this.#dependencies.sockets.established(generation);
    if (generations.placeholderFor(generation) === undefined)
      arbiterLog.established(generation, pool.desired.target);
    else arbiterLog.waiting();
    this.#dependencies.stats.reloadEnded(undefined);
    commands.reloadDone(generation);
    this.#beginNext();
  }

  /** The newest generation failed; `established` keeps serving, or none if that is 0. */
  abandoned(failure: BootFailure, established: number): void {
    const { pool, generations, arbiterLog, commands, logs } = this.#dependencies;
    this.#dependencies.sockets.abandoned(established);
    const isPlaceholder = established !== 0 && generations.placeholderFor(established) !== undefined;
    if (isPlaceholder) arbiterLog.broken(failure);
    else arbiterLog.abandoned(failure, established);
    if (established !== 0) this.#dependencies.stats.reloadEnded(failure.message);
    commands.reloadFailed(generations.newest, failure.message, failure.stack, established);
    if (established !== 0) logs.adopt(generations.configOf(established));
    const isNewestAnApp = generations.placeholderFor(generations.newest) === undefined;
    if (isPlaceholder && isNewestAnApp && !pool.desired.reloadQueued && this.#nextConfiguration === undefined)
      pool.reload(this.createPlaceholder(failure), pool.desired.target);
    this.#beginNext();
  }

  /** Makes a generation that responds with the boot error of the newest one and runs no user code. */
  createPlaceholder(failure: BootFailure): number {
    const { generations } = this.#dependencies;
    const config = generations.configOf(generations.newest);
    return generations.add({ config, hooks: {}, tls: generations.tlsOf(generations.newest) }, failure);
  }

  /** After a reload has ended, begins the one requested meanwhile. */
  #beginNext(): void {
    const { pool } = this.#dependencies;
    const configuration = this.#nextConfiguration;
    this.#nextConfiguration = undefined;
    if (pool.desired.reloadQueued) {
      pool.setReloadQueued(false);
      this.request();
    } else if (configuration !== undefined) {
      this.#begin(configuration);
    }
  }
}
