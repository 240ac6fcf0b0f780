/**
 * The arbiter's counts: what happens to workers, reloads and upgrades. They stand on the scoreboard beside what the workers
 * count, so that an upgrade continues them.
 */
import type { LastExit, ReloadReport } from "../../control/stats.ts";
import type { ScoreboardPage } from "../../ipc/messages.ts";
import type { RequestInFlight } from "../../ipc/request-report.ts";
import type { DeathSample } from "../../records/death-record.ts";
import { ARBITER_METRICS } from "../../scoreboard/arbiter-metrics.ts";
import { seriesKey } from "../../scoreboard/series-key.ts";
import type { Ending } from "../event.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { Listener } from "../sockets/bind.ts";
import { observation } from "./added-series.ts";
import { type WorkerEnd, workerEnd } from "./exit-reason.ts";
import { isHeapExhausted } from "./heap-exhaustion.ts";
import type { Sampler } from "./sampler.ts";
import type { FinalPage, Scoreboard } from "./scoreboard.ts";
import { TurnTimes } from "./turn-times.ts";

export interface StatsDependencies {
  pool(): Pool;
  readonly board: Scoreboard;
  pidOf(id: number): number | undefined;
  /** This arbiter leaves for its successor. */
  isLeaving(): boolean;
  listeners(): readonly Listener[];
}

/** A worker whose process has ended. */
export interface EndedProcess {
  readonly id: number;
  readonly pid: number | undefined;
  /** Its last record. */
  readonly record: WorkerRecord;
  readonly ending: Ending;
  /** `was killed by SIGKILL: out of memory` */
  readonly how: string;
  /** Whether V8's heap was full; undefined where nothing says so for sure. */
  readonly isHeapExhausted?: boolean | undefined;
}

/** How a worker ended, and what it left. */
export interface EndedWorker extends EndedProcess {
  readonly end: WorkerEnd;
  /** Undefined if it had no page of the scoreboard. */
  readonly page: FinalPage | undefined;
  /** Its last minute, a sample a second, oldest first. */
  readonly samples: readonly DeathSample[];
}

/** A start takes less, and the first sample is due then. */
const LOAD_AFTER_MS = 1000;

export class Stats {
  readonly board: Scoreboard;
  readonly turns = new TurnTimes();
  readonly #dependencies: StatsDependencies;
  readonly #lastExits = new Map<number, LastExit>();
  readonly #restarts = new Map<number, number>();
  #lastSuccessAt = Date.now();
  readonly #begunAt = performance.now();
  #sampler: Sampler | undefined;
  #loading: Promise<Sampler> | undefined;
  #reloadRequestedAt: number | undefined;
  #lastReload: ReloadReport | undefined;

  constructor(dependencies: StatsDependencies) {
    this.#dependencies = dependencies;
    this.board = dependencies.board;
  }

  /** When the server started, upgrades not counted, in milliseconds since the epoch. */
  get startedAt(): number {
    return this.board.startedAt;
  }

  /** When a reload, or else the start of this arbiter, succeeded last. */
  get lastSuccessAt(): number {
    return this.#lastSuccessAt;
  }

  /** The last reload; undefined before the first. */
  get lastReload(): ReloadReport | undefined {
    return this.#lastReload;
  }

  /** How the previous worker of a slot ended. */
  lastExitOf(slot: number): LastExit | undefined {
    return this.#lastExits.get(slot);
  }

  /** How many workers of a slot have ended. */
  restartsOf(slot: number): number {
    return this.#restarts.get(slot) ?? 0;
  }

  /** A page of the scoreboard for a worker that is about to start; undefined if there is none. */
  allocate({
    id,
    slot,
    generation,
  }: Pick<WorkerRecord, "id" | "slot" | "generation">): ScoreboardPage | undefined {
    return this.board.allocate(id, slot, generation);
  }

  /** The requests in flight in a worker, oldest first; undefined if it has no page. */
  requestsOf(id: number): readonly RequestInFlight[] | undefined {
    if (this.board.read(id) === undefined) return undefined;
    return this.board.requestsOf(id).map(({ method, target, startedAt }) => ({
      method,
      target,
      since: startedAt,
    }));
  }

  /** A worker's process runs. */
  started(): void {
    this.board.add(seriesKey(ARBITER_METRICS.starts, []), [1]);
  }

  /** A worker's process could not be started. */
  unstarted(id: number): void {
    this.board.finish(id);
  }

  /** Call before the roster changes. */
  ready(id: number): void {
    const pool = this.#dependencies.pool();
    const worker = pool.find(id);
    if (worker?.state !== "booting") return;
    const seconds = (pool.now - worker.spawnedAt) / 1000;
    const { boot } = ARBITER_METRICS;
    this.board.add(seriesKey(boot, []), observation(seconds, boot.buckets));
  }

  /** A worker's process has ended; `record` is its record before that. */
  ended(process: EndedProcess): EndedWorker {
    const { id, pid, record, ending, how } = process;
    const samples = this.#sampler?.finish(id) ?? [];
    const page = this.board.finish(id);
    const end = workerEnd(record, ending, {
      isStopping: this.#dependencies.pool().desired.stop !== undefined,
      isUpgrade: this.#dependencies.isLeaving(),
      isHeapExhausted: process.isHeapExhausted ?? isHeapExhausted(ending, page, samples),
    });
    const { reason } = end;
    this.board.add(seriesKey(ARBITER_METRICS.exits, [reason]), [1]);
    this.#restarts.set(record.slot, this.restartsOf(record.slot) + 1);
    this.#lastExits.set(record.slot, { pid: pid ?? 0, at: new Date().toISOString(), reason, how });
    return { ...process, end, page, samples };
  }

  reloadRequested(): void {
    this.#reloadRequestedAt ??= performance.now();
  }

  /** A reload has succeeded, or failed for the reason `error`. What ends without a request is no reload. */
  reloadEnded(error: string | undefined): void {
    const requestedAt = this.#reloadRequestedAt;
    this.#reloadRequestedAt = undefined;
    if (requestedAt === undefined) return;
    const ok = error === undefined;
    const duration = performance.now() - requestedAt;
    if (ok) this.#lastSuccessAt = Date.now();
    const { reloads, reloadDuration } = ARBITER_METRICS;
    this.#lastReload = {
      ok,
      at: new Date().toISOString(),
      duration: Math.round(duration),
      error: error ?? null,
    };
    this.board.add(seriesKey(reloads, [ok ? "success" : "failure"]), [1]);
    this.board.add(seriesKey(reloadDuration, []), observation(duration / 1000, reloadDuration.buckets));
  }

  /** Reloads that have not begun are dropped. */
  reloadWithdrawn(): void {
    this.#reloadRequestedAt = undefined;
  }

  upgradeEnded(ok: boolean): void {
    this.board.add(seriesKey(ARBITER_METRICS.upgrades, [ok ? "success" : "failure"]), [1]);
  }

  /** Looks at everything if a second has passed. Call on every turn of the loop. */
  review(): void {
    this.board.review();
    if (this.#sampler !== undefined) this.#sampler.review();
    else if (performance.now() - this.#begunAt > LOAD_AFTER_MS) this.sampler().catch(() => {});
  }

  /** Returns the sampler. A start does not wait for its code. */
  sampler(): Promise<Sampler> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<Sampler> {
    const { Sampler } = await import("./sampler.ts");
    this.#sampler = new Sampler(this.#dependencies);
    this.#sampler.review();
    return this.#sampler;
  }
}
