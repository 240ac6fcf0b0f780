/** The events of the server in words: `GET /events`. The log lines about the same things are in `arbiter-log.ts`. */
import type { ExitReason } from "../../scoreboard/metrics.ts";
import { workerCountText } from "../pool/readiness.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import { EventLog } from "./event-log.ts";

/** A worker in events. */
export interface EventWorker {
  readonly pid: number | undefined;
  readonly record: Pick<WorkerRecord, "slot" | "generation">;
}

function workerMembers({ pid, record: { slot, generation } }: EventWorker): {
  readonly slot: number;
  readonly generation: number;
  readonly pid?: number;
} {
  return { ...(pid !== undefined && { pid }), slot, generation };
}

export class ServerEvents {
  readonly log = new EventLog();
  readonly #now: () => number;
  /** When the reload in progress was requested. */
  #reloadRequestedAt: number | undefined;
  #target: number | undefined;
  #isStopping = false;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  started(version: string, urls: string): void {
    this.log.add({ type: "started", message: `tsgun ${version} listens at ${urls}`, isProblem: false });
  }

  /** @param duration of its boot, in milliseconds */
  workerReady(worker: EventWorker, duration: number): void {
    this.log.add({
      type: "worker-ready",
      message: `Worker ${worker.pid} is ready`,
      ...workerMembers(worker),
      duration: Math.round(duration),
      isProblem: false,
    });
  }

  /** @param how as part of a sentence: `was killed by SIGKILL` */
  workerExited(worker: EventWorker, how: string, isProblem: boolean, reason: ExitReason | undefined): void {
    this.log.add({
      type: "worker-exit",
      message: `Worker ${worker.pid} ${how}`,
      ...workerMembers(worker),
      ...(reason !== undefined && { reason }),
      isProblem,
    });
  }

  workerStuck(pid: number | undefined, message: string): void {
    this.log.add({ type: "worker-stuck", message, ...(pid !== undefined && { pid }), isProblem: true });
  }

  workerRecovered(pid: number, message: string): void {
    this.log.add({ type: "worker-recovered", message, pid, isProblem: false });
  }

  /** A reload counts from its request: before the workers are replaced, the configuration is read. */
  reloadRequested(): void {
    this.#reloadRequestedAt ??= this.#now();
  }

  reloading(generation: number, message: string): void {
    this.log.add({ type: "reload", message, generation, isProblem: false });
  }

  /** Every slot has a worker of this generation. It is no reload if none was requested: the first boot. */
  established(generation: number, message: string): void {
    const duration = this.#endReload();
    if (duration === undefined) return;
    this.log.add({ type: "reloaded", message, generation, duration, isProblem: false });
  }

  /** @param generation the one that stays; 0 for none */
  reloadFailed(generation: number, message: string): void {
    const duration = this.#endReload();
    const facts = { generation, ...(duration !== undefined && { duration }) };
    this.log.add({ type: "reload-failed", message, ...facts, isProblem: true });
  }

  upgrade(message: string, isProblem: boolean): void {
    this.log.add({ type: "upgrade", message, isProblem });
  }

  /**
   * Call when the pool has settled: finds changes of the target and the stop, whatever brought them.
   * @param isLeaving the target is 0 because another arbiter serves
   */
  settled(target: number, isStopping: boolean, isLeaving: boolean): void {
    if (isStopping && !this.#isStopping)
      this.log.add({ type: "stopping", message: "The server is stopping", isProblem: false });
    this.#isStopping = isStopping;
    if (this.#target !== undefined && target !== this.#target && !isLeaving && !isStopping) {
      const message = `The target is ${workerCountText(target)}, not ${this.#target}`;
      this.log.add({ type: "scale", message, isProblem: false });
    }
    this.#target = target;
  }

  /** Returns the time that the reload took, in milliseconds; undefined if there was none. */
  #endReload(): number | undefined {
    const since = this.#reloadRequestedAt;
    this.#reloadRequestedAt = undefined;
    return since === undefined ? undefined : Math.round(this.#now() - since);
  }
}
