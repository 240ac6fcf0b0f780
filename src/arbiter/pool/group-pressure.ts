/**
 * The memory of all workers together against the limit of their control group. At the limit the kernel kills one of them in
 * the middle of its requests. So the log names the largest one before, and with `--max-memory auto` that is replaced in
 * order, while there is room for the one that follows it.
 */
import type { Config } from "../../config/settings.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { RateLimit } from "../../log/rate-limit.ts";
import { GroupMemory, type GroupUse } from "../../system/group-memory.ts";
import { processUse } from "../../system/process-use.ts";
import type { Pool } from "./pool.ts";
import type { WorkerRecord } from "./roster.ts";

const FULL_SHARE = 0.9;
const LOOK_INTERVAL_MS = 2000;
/** Limits are read anew, since somebody may set one. */
const LIMITS_INTERVAL_MS = 60_000;
/** After a replacement: its effect shows only when the old worker has gone. */
const REST_MS = 60_000;

type Group = Pick<GroupMemory, "isLimited" | "findLimits" | "fullerThan">;

/** Replaces a worker in order, and calls `log` if it does. @param sizes why, in words */
type Replace = (worker: WorkerRecord, sizes: string, log: () => void) => void;

export interface GroupPressureDependencies {
  readonly pool: Pool;
  readonly log: ErrorLog;
  pidOf(id: number): number | undefined;
  configOf(generation: number): Config | undefined;
  /** Resident memory in bytes. */
  readonly residentOf?: (pid: number) => number | undefined;
  readonly makeGroup?: () => Group;
}

interface Weighed {
  readonly worker: WorkerRecord;
  readonly pid: number;
  readonly bytes: number;
}

export class GroupPressure {
  readonly #dependencies: GroupPressureDependencies;
  readonly #lines: RateLimit;
  #group: Group | undefined;
  #lookAt: number;
  #limitsAt = 0;
  #wasFull = false;
  #restUntil = 0;
  #isUselessLogged = false;

  constructor(dependencies: GroupPressureDependencies) {
    this.#dependencies = dependencies;
    const { pool } = dependencies;
    this.#lines = new RateLimit(() => pool.now);
    this.#lookAt = pool.now + LOOK_INTERVAL_MS;
  }

  /** Looks if it is time. Call on every turn of the loop. */
  review(replace: Replace): void {
    const { now } = this.#dependencies.pool;
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_INTERVAL_MS;
    const group = this.#limitedGroup(now);
    const use = group?.fullerThan(FULL_SHARE);
    // A peak is no reason: it must still be there at the next look.
    if (use !== undefined && this.#wasFull) this.#relieve(use, replace);
    this.#wasFull = use !== undefined;
  }

  #limitedGroup(now: number): Group | undefined {
    const { makeGroup = () => new GroupMemory() } = this.#dependencies;
    if (this.#group === undefined) this.#group = makeGroup();
    else if (now >= this.#limitsAt) this.#group.findLimits();
    if (now >= this.#limitsAt) this.#limitsAt = now + LIMITS_INTERVAL_MS;
    if (this.#group.isLimited) return this.#group;
    this.#lookAt = this.#limitsAt;
    this.#logIfUseless();
    return undefined;
  }

  #logIfUseless(): void {
    const { pool, log, configOf } = this.#dependencies;
    const isAsked = pool.roster.some(({ generation }) => configOf(generation)?.maxMemory === "auto");
    if (!isAsked || this.#isUselessLogged) return;
    this.#isUselessLogged = true;
    log.warning(
      "max-memory auto has no effect: no control group limits the memory; write a size such as 512MB",
    );
  }

  #relieve(use: GroupUse, replace: Replace): void {
    const { pool, log, configOf } = this.#dependencies;
    const largest = this.#largest();
    if (largest === undefined) return;
    const { worker, pid, bytes } = largest;
    const { folder, used, limit, atLimit } = use;
    const effect = atLimit === "kills" ? "kills a process" : "slows down all of them";
    const line = `The control group ${folder} uses ${megabytes(used)} of ${megabytes(limit)}, where the kernel ${effect}; the largest worker (pid: ${pid}, slot ${worker.slot}) has ${megabytes(bytes)}`;
    if (configOf(worker.generation)?.maxMemory !== "auto") {
      if (this.#lines.allows())
        log.warning(
          `${line}: allow more, run fewer workers, or have such a worker replaced (--max-memory auto)`,
        );
      return;
    }
    // A worker that boots or ends changes the sum.
    const isSettled = pool.roster.every(({ state, expiring }) => state === "ready" && expiring !== true);
    if (pool.now < this.#restUntil || !isSettled) return;
    replace(worker, `${megabytes(bytes)} of memory, the most in a full control group`, () => {
      this.#restUntil = pool.now + REST_MS;
      log.warning(`${line}: replacing it`);
    });
  }

  #largest(): Weighed | undefined {
    const { pool, pidOf, residentOf = (pid) => processUse(pid)?.rss } = this.#dependencies;
    let largest: Weighed | undefined;
    for (const worker of pool.roster) {
      const pid = worker.state === "ready" ? pidOf(worker.id) : undefined;
      const bytes = pid === undefined ? undefined : residentOf(pid);
      if (pid === undefined || bytes === undefined || bytes <= (largest?.bytes ?? 0)) continue;
      largest = { worker, pid, bytes };
    }
    return largest;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)}MB`;
}
