/**
 * The reload, from the wish to what became of it; between them the pool replaces the workers. The configuration is read
 * beside the loop, and whatever that throws leaves everything as it is. Reloads that overlap become one: what was read
 * before the newest wish may be old. While the configuration is read the pool goes on, so whether a reload can begin is
 * asked again when the reading ends.
 */
import type { Configuration } from "../../config/config.ts";
import type { Config } from "../../config/settings.ts";
import type { FatalError } from "../../errors.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import { workerCount } from "../../system/cpu-limit.ts";
import type { ControlDesk } from "../control/control-commands.ts";
import type { ReloadEvent } from "../event.ts";
import type { Narrator } from "../logs/arbiter-log.ts";
import type { Logs } from "../logs/logs.ts";
import { canReload } from "../pool/desired.ts";
import type { Pool } from "../pool/pool.ts";
import { keepFixedSettings } from "../setup.ts";
import type { HeldSockets } from "../sockets/listeners.ts";
import type { Generations } from "./generations.ts";

/** What a reload needs of the arbiter. */
export interface ReloadOffice {
  readonly pool: Pool;
  readonly generations: Generations;
  readonly desk: ControlDesk;
  readonly narrator: Narrator;
  readonly logs: Logs;
  /** Whatever it throws leaves everything as it is. */
  readAgain(): Promise<Configuration>;
  /** Tries whether the app can be loaded, where the configuration wants that before a worker is started. */
  tryApp(config: Config): Promise<void>;
  /** Binds the sockets again whose files are gone, for the generation that begins next. */
  renewSockets(): Promise<void>;
  readonly sockets: Pick<HeldSockets, "begun" | "withdrawn" | "established" | "abandoned">;
  /** Puts what came of the reading into the mailbox; `take` is called from there. */
  post(event: ReloadEvent): void;
}

export class Reload {
  readonly #office: ReloadOffice;
  #reading = false;
  /** What is being read is for nobody any more. */
  #withdrawn = false;
  /** The configuration of the next reload, which begins when the one that is rolling out has ended. */
  #waiting: Configuration | undefined;
  /** The files whose change asked for it. */
  readonly #changed = new Set<string>();

  constructor(office: ReloadOffice) {
    this.#office = office;
  }

  /** The configuration is being read. */
  get isReading(): boolean {
    return this.#reading;
  }

  /** Begins a reload, or remembers the wish while one is under way that cannot be displaced. */
  ask(): void {
    const { pool, post } = this.#office;
    if (pool.desired.stop !== undefined) return;
    if (this.#reading || !canReload(pool.desired)) {
      pool.reloadAgain(true);
      return;
    }
    this.#reading = true;
    this.#read().then(
      (configuration) => post({ type: "read", configuration }),
      (error) => post({ type: "unreadable", error }),
    );
  }

  async #read(): Promise<Configuration> {
    const configuration = await this.#office.readAgain();
    await this.#office.tryApp(configuration.config);
    await this.#office.renewSockets();
    return configuration;
  }

  /** Files have changed. */
  askFor(files: readonly string[]): void {
    for (const file of files) this.#changed.add(file);
    this.ask();
  }

  /** Forgets what was asked for and has not begun, and tells whoever waits for a reload why they need not. */
  withdraw(why: string): void {
    const { pool, desk } = this.#office;
    pool.reloadAgain(false);
    this.#waiting = undefined;
    this.#office.sockets.withdrawn();
    this.#withdrawn = this.#reading;
    this.#changed.clear();
    desk.reloadsWithdrawn(why);
  }

  take(event: ReloadEvent): void {
    const withdrawn = this.#withdrawn;
    this.#reading = false;
    this.#withdrawn = false;
    if (withdrawn) {
      this.#office.sockets.withdrawn();
      this.#onceMore();
    } else if (event.type === "read") this.#begin(event.configuration);
    else this.#fail(event.error);
  }

  #begin(read: Configuration): void {
    const { pool, generations, narrator, logs } = this.#office;
    const { established, reloadAgain, stop } = pool.desired;
    if (stop !== undefined) return;
    if (reloadAgain) {
      this.#onceMore();
      return;
    }
    if (!canReload(pool.desired)) {
      this.#waiting = read;
      return;
    }
    const config = keepFixedSettings(read.config, generations.configOf(established), logs.errors);
    try {
      logs.prepare(config);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const generation = generations.add({ config, hooks: read.hooks });
    this.#office.sockets.begun(generation);
    logs.adopt(config);
    narrator.reloading(generation, [...this.#changed]);
    this.#changed.clear();
    pool.reload(generation, workerCount(config.workers));
  }

  #fail(error: Error): void {
    const { pool, generations, narrator, desk } = this.#office;
    const { established, reloadAgain } = pool.desired;
    const { message, detail } = error as FatalError;
    this.#office.sockets.withdrawn();
    narrator.reloadFailed(established, message, detail);
    // The error's own stack leads through tsgun, which is not to blame.
    if (!reloadAgain) desk.reloadNotBegun(generations.newest + 1, message, detail, established);
    this.#onceMore();
  }

  /** Every slot has a worker of this generation. */
  established(generation: number): void {
    const { pool, generations, narrator, desk } = this.#office;
    generations.keepOnly(generation);
    this.#office.sockets.established(generation);
    if (generations.standsInFor(generation) === undefined)
      narrator.established(generation, pool.desired.target);
    else narrator.waiting();
    desk.reloadDone(generation);
    this.#onceMore();
  }

  /** The newest generation failed, and `established` stands; nothing is left if that is 0. */
  abandoned(failure: BootFailure, established: number): void {
    const { pool, generations, narrator, desk, logs } = this.#office;
    this.#office.sockets.abandoned(established);
    const standsIn = established !== 0 && generations.standsInFor(established) !== undefined;
    if (standsIn) narrator.broken(failure);
    else narrator.abandoned(failure, established);
    desk.reloadFailed(generations.newest, failure.message, failure.stack, established);
    if (established !== 0) logs.adopt(generations.configOf(established));
    const tried = generations.standsInFor(generations.newest) === undefined;
    if (standsIn && tried && !pool.desired.reloadAgain && this.#waiting === undefined)
      pool.reload(this.standIn(failure), pool.desired.target);
    this.#onceMore();
  }

  /** A generation that answers with why the newest one could not be started, and runs nothing of the user's. */
  standIn(failure: BootFailure): number {
    const { generations } = this.#office;
    return generations.add({ config: generations.configOf(generations.newest), hooks: {} }, failure);
  }

  /** Where a reload has come to its end: begins the one that was asked for meanwhile. */
  #onceMore(): void {
    const { pool } = this.#office;
    const read = this.#waiting;
    this.#waiting = undefined;
    if (pool.desired.reloadAgain) {
      pool.reloadAgain(false);
      this.ask();
    } else if (read !== undefined) {
      this.#begin(read);
    }
  }
}
