/**
 * Recycling: replaces healthy workers that have served long enough or grown too large. Each stops only when its
 * replacement is ready; the pool decides how many are replaced at once.
 */
import type { Config } from "../../config/settings.ts";
import type { Due } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { residentMemory } from "../../system/resident-memory.ts";
import type { GroupPressure } from "./group-pressure.ts";
import type { Pool } from "./pool.ts";
import type { StopCause, WorkerRecord } from "./roster.ts";

const MEASURE_INTERVAL_MS = 2000;

/** The watch of the control group is loaded when the start is over. */
const LOAD_GROUP_AFTER_MS = 1000;

/**
 * How long the next worker in a slot may exceed the limit. Otherwise workers would do nothing but boot if the limit is
 * below what the app needs.
 */
const SLOT_REST_MS = 60_000;

const CAUSES: { readonly [why in Due["why"]]: (amount: number) => StopCause } = {
  requests: (amount) => ({ reason: "max_requests", text: `${amount} requests served` }),
  lifetime: (amount) => ({ reason: "max_lifetime", text: `${amount / 1000}s served` }),
  descriptors: (amount) => ({ reason: "restart", text: `${amount} open file descriptors` }),
  heap: (amount) => ({ reason: "max_memory", text: `${megabytes(amount)} of heap, near --max-old-space` }),
};

const REASONS: { readonly [why in Due["why"]]: (amount: number) => string } = {
  requests: (amount) => `has served ${amount} requests`,
  lifetime: (amount) => `has served for ${amount / 1000}s`,
  descriptors: (amount) =>
    `has ${amount} open file descriptors, few of them connections, and accepts no more (does the app leak them?)`,
  heap: (amount) =>
    `has ${megabytes(amount)} in its heap, which a collection has not freed, and comes near --max-old-space (does the app leak?)`,
};

/** A snapshot of the heap takes memory, which is given back some time after it. */
const EXAMINATION_REST_MS = 30_000;

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
  readonly #exceededAt = new Map<number, number>();
  #group: GroupPressure | undefined;
  /** Infinity once its module is being loaded. */
  #loadGroupAt: number;
  #timer: NodeJS.Timeout | undefined;
  #isFailureLogged = false;

  constructor(dependencies: RecyclingDependencies) {
    this.#dependencies = dependencies;
    this.#loadGroupAt = dependencies.pool.now + LOAD_GROUP_AFTER_MS;
  }

  /** A worker reports that it is due for replacement. */
  due(id: number, due: Due): void {
    const { log } = this.#dependencies;
    const slot = due.why === "heap" ? this.#dependencies.pool.find(id)?.slot : undefined;
    if (slot !== undefined && this.#rests(slot)) return;
    this.#replace(id, CAUSES[due.why](due.amount), (pid) => {
      const line = `Worker (pid: ${pid}) ${REASONS[due.why](due.amount)}: replacing it`;
      if (slot !== undefined) this.#exceededAt.set(slot, this.#dependencies.pool.now);
      if (due.why === "descriptors" || due.why === "heap") log.warning(line);
      else log.info(line);
    });
  }

  /** A worker of this configuration was started: starts memory checks if its memory is limited. */
  watch(config: Config): void {
    if (sizeOf(config) > 0) this.#schedule();
  }

  /** Replaces the largest worker if the control group is nearly full, and that is asked for. Call on every turn of the loop. */
  review(): void {
    if (this.#dependencies.pool.now >= this.#loadGroupAt) this.#loadGroup();
    this.#group?.review((worker, sizes, log) => {
      if (!this.#isExamined(worker)) this.#replace(worker.id, { reason: "max_memory", text: sizes }, log);
    });
  }

  #loadGroup(): void {
    this.#loadGroupAt = Number.POSITIVE_INFINITY;
    import("./group-pressure.ts").then(
      ({ GroupPressure }) => {
        this.#group = new GroupPressure(this.#dependencies);
      },
      (error: Error) => {
        const { log } = this.#dependencies;
        log.warning("The memory of the control group is not watched: restart this server", error);
      },
    );
  }

  /** Replaces workers whose measured memory exceeds their limit. */
  checkMemory(use: MemoryUse): void {
    const { pool } = this.#dependencies;
    for (const [id, bytes] of use) {
      const worker = pool.find(id);
      const limit = worker && this.#limitOf(worker);
      if (worker === undefined || limit === undefined || bytes <= limit) continue;
      if (this.#isExamined(worker) || this.#rests(worker.slot)) continue;
      const sizes = `${megabytes(bytes)} of memory, more than ${megabytes(limit)}`;
      this.#replace(id, { reason: "max_memory", text: sizes }, (pid) => {
        this.#exceededAt.set(worker.slot, pool.now);
        this.#dependencies.log.warning(`Worker (pid: ${pid}) uses ${sizes}: replacing it`);
      });
    }
  }

  #isExamined({ examinedUntil }: WorkerRecord): boolean {
    return examinedUntil !== undefined && this.#dependencies.pool.now - examinedUntil < EXAMINATION_REST_MS;
  }

  #rests(slot: number): boolean {
    const before = this.#exceededAt.get(slot) ?? Number.NEGATIVE_INFINITY;
    return this.#dependencies.pool.now - before < SLOT_REST_MS;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #replace(id: number, cause: StopCause, log: (pid: number | undefined) => void): void {
    const { pool } = this.#dependencies;
    const worker = pool.find(id);
    if (worker?.state !== "ready" || worker.expiring || pool.desired.stop !== undefined) return;
    log(this.#dependencies.pidOf(id));
    pool.expire(id, cause);
  }

  /** Undefined for a worker without a memory limit. */
  #limitOf(worker: WorkerRecord): number | undefined {
    const limit = sizeOf(this.#dependencies.configOf(worker.generation));
    return limit > 0 && worker.state === "ready" ? limit : undefined;
  }

  #schedule(): void {
    const measure = (): void => {
      this.#measureWorkers().catch((error: Error) => this.#logFailure(error));
    };
    this.#timer ??= setTimeout(measure, MEASURE_INTERVAL_MS).unref();
  }

  async #measureWorkers(): Promise<void> {
    const { pool, pidOf, configOf, post } = this.#dependencies;
    const limited = pool.roster.filter(({ generation }) => sizeOf(configOf(generation)) > 0);
    const pids = limited.flatMap(({ id }) => {
      const pid = pidOf(id);
      return pid === undefined ? [] : [[id, pid] as const];
    });
    if (pids.length > 0) post(await this.#memoryOf(pids));
    this.#timer = undefined;
    // `watch` starts the checks again for the next worker with a limit.
    if (limited.length > 0) this.#schedule();
  }

  async #memoryOf(pids: readonly (readonly [id: number, pid: number])[]): Promise<MemoryUse> {
    try {
      const found = await residentMemory(pids.map(([, pid]) => pid));
      return new Map(pids.map(([id, pid]) => [id, found.get(pid) ?? 0]));
    } catch (error) {
      this.#logFailure(error as Error);
      return new Map();
    }
  }

  #logFailure(error: Error): void {
    if (this.#isFailureLogged) return;
    this.#isFailureLogged = true;
    this.#dependencies.log.warning(
      "max-memory has no effect: cannot measure the memory of the workers",
      error,
    );
  }
}

/** The limit of a single worker in bytes; 0 for none. */
function sizeOf(config: Config | undefined): number {
  const { maxMemory = 0 } = config ?? {};
  return maxMemory === "auto" ? 0 : maxMemory;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)}MB`;
}
