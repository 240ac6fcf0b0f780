/**
 * Recycling: replaces healthy workers that have served long enough or grown too large. Each stops only when its
 * replacement is ready; the pool decides how many are replaced at once.
 */
import type { Config } from "../../config/settings.ts";
import type { Due } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { Pool } from "./pool.ts";
import type { WorkerRecord } from "./roster.ts";

/** Interval of memory checks, in milliseconds. */
const LOOK_EVERY = 2000;

/**
 * How long the next worker in a slot may exceed the limit, in milliseconds. Otherwise workers would do nothing but boot
 * if the limit is below what the app needs.
 */
const SLOT_RESTS = 60_000;

const REASONS: { readonly [why in Due["why"]]: (amount: number) => string } = {
  requests: (amount) => `has answered ${amount} requests`,
  lifetime: (amount) => `has served for ${amount / 1000}s`,
  descriptors: (amount) =>
    `has ${amount} file descriptors open, few of them connections, and accepts no more (a leak in the app?)`,
};

/** Resident memory in bytes, by the id of the worker. */
export type MemoryUse = ReadonlyMap<number, number>;

/** Dependencies on the arbiter. */
export interface RecyclingDependencies {
  readonly pool: Pool;
  readonly log: ErrorLog;
  pidOf(id: number): number | undefined;
  configOf(generation: number): Config | undefined;
  /** Posts the measurement to the mailbox, which calls `checkMemory`. */
  post(use: MemoryUse): void;
}

export class Recycling {
  readonly #dependencies: RecyclingDependencies;
  /** When a worker of a slot last exceeded the limit. */
  readonly #outgrown = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;
  #failed = false;

  constructor(dependencies: RecyclingDependencies) {
    this.#dependencies = dependencies;
  }

  /** A worker reports that it is due for replacement. */
  due(id: number, due: Due): void {
    const { log } = this.#dependencies;
    this.#replace(id, (pid) => {
      const line = `Worker (pid: ${pid}) ${REASONS[due.why](due.amount)}: it is replaced`;
      if (due.why === "descriptors") log.warning(line);
      else log.info(line);
    });
  }

  /** A worker of this configuration was started: starts memory checks if its memory is limited. */
  watch(config: Config): void {
    if (config.maxMemory > 0) this.#arm();
  }

  /** Replaces workers whose measured memory exceeds their limit. */
  checkMemory(use: MemoryUse): void {
    const { pool } = this.#dependencies;
    for (const [id, bytes] of use) {
      const worker = pool.find(id);
      const limit = worker && this.#limitOf(worker);
      if (worker === undefined || limit === undefined || bytes <= limit) continue;
      const before = this.#outgrown.get(worker.slot) ?? Number.NEGATIVE_INFINITY;
      if (pool.now - before < SLOT_RESTS) continue;
      this.#replace(id, (pid) => {
        this.#outgrown.set(worker.slot, pool.now);
        const sizes = `${megabytes(bytes)} of memory, more than ${megabytes(limit)}`;
        this.#dependencies.log.warning(`Worker (pid: ${pid}) uses ${sizes}: it is replaced`);
      });
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #replace(id: number, tell: (pid: number | undefined) => void): void {
    const { pool } = this.#dependencies;
    const worker = pool.find(id);
    if (worker?.state !== "ready" || worker.expiring || pool.desired.stop !== undefined) return;
    tell(this.#dependencies.pidOf(id));
    pool.expire(id);
  }

  /** Undefined for a worker without a memory limit. */
  #limitOf(worker: WorkerRecord): number | undefined {
    const limit = this.#dependencies.configOf(worker.generation)?.maxMemory ?? 0;
    return limit > 0 && worker.state === "ready" ? limit : undefined;
  }

  #arm(): void {
    const look = (): void => {
      this.#look().catch((error: Error) => this.#tellFailure(error));
    };
    this.#timer ??= setTimeout(look, LOOK_EVERY).unref();
  }

  async #look(): Promise<void> {
    const { pool, pidOf, configOf, post } = this.#dependencies;
    const limited = pool.roster.filter(({ generation }) => (configOf(generation)?.maxMemory ?? 0) > 0);
    const pids = limited.flatMap(({ id }) => {
      const pid = pidOf(id);
      return pid === undefined ? [] : [[id, pid] as const];
    });
    if (pids.length > 0) post(await this.#measure(pids));
    this.#timer = undefined;
    // `watch` starts the checks again for the next worker with a limit.
    if (limited.length > 0) this.#arm();
  }

  async #measure(pids: readonly (readonly [id: number, pid: number])[]): Promise<MemoryUse> {
    try {
      const { default: pidusage } = await import("pidusage");
      const found = await pidusage(pids.map(([, pid]) => pid));
      // Null: the process has ended meanwhile.
      return new Map(pids.map(([id, pid]) => [id, found[pid]?.memory ?? 0]));
    } catch (error) {
      this.#tellFailure(error as Error);
      return new Map();
    }
  }

  #tellFailure(error: Error): void {
    if (this.#failed || error.message === "No matching pid found") return;
    this.#failed = true;
    this.#dependencies.log.warning(
      "max-memory has no effect: the memory of the workers cannot be measured",
      error,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)}MB`;
}
