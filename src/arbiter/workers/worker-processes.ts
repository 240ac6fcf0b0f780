/**
 * The crew: the processes behind the workers of the roster, by the id that both know them by. It does to a process
 * what the pool wants done to a worker, and tells the pool what became of it.
 */
import type { EndedWorker, WorkerProcess } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode } from "../../errors.ts";
import type { ToWorker } from "../../ipc/messages.ts";
import type { HeldRequest } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";
import type { AccessLogOptions } from "../../log/access-log.ts";
import { processState } from "../../system/process-state.ts";
import type { ArbiterEvent, Ending } from "../event.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import { CrashSuspects, DEATHS } from "../logs/crash-suspects.ts";
import { averageConnections, excessConnections } from "../pool/balance.ts";
import type { Pool } from "../pool/pool.ts";
import type { KillReason } from "../pool/reconcile.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import { StartError } from "./child-process.ts";
import { exitName, OomKills } from "./exit-name.ts";
import { LostRequests } from "./lost-requests.ts";
import { WorkerHandle, type WorkerLaunch } from "./worker-handle.ts";

/** By which people, terminals and supervisors stop a process. */
const STOP_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"]);

/** What the crew needs of the arbiter. */
export interface WorkerProcessDependencies {
  readonly arbiterLog: ArbiterLog;
  pool(): Pool;
  /** The access log of a worker that has died; undefined where it had none. */
  accessLogOf(pid: number, worker: WorkerRecord): AccessLogOptions | undefined;
  /** To be waited for before a worker is started; undefined where there is nothing to wait for. */
  beforeStart(worker: WorkerProcess): Promise<void> | undefined;
  /** A process has ended. */
  ended(worker: EndedWorker): void;
  /** Where the messages and the ends of the processes go. */
  post(event: ArbiterEvent): void;
}

/** How long requests are journaled after a death that left no report of them, in milliseconds. */
const JOURNAL_FOR = 600_000;

export class WorkerProcesses {
  readonly #dependencies: WorkerProcessDependencies;
  readonly #handles = new Map<number, WorkerHandle>();
  /** The average that each worker was told last. */
  readonly #averages = new Map<number, number | undefined>();
  readonly #oomKills = new OomKills();
  readonly #lost = new LostRequests();
  readonly #suspects = new CrashSuspects();
  #journalUntil = Number.NEGATIVE_INFINITY;

  constructor(dependencies: WorkerProcessDependencies) {
    this.#dependencies = dependencies;
  }

  get #pool(): Pool {
    return this.#dependencies.pool();
  }

  /** Undefined for one whose process has ended or could not be started. */
  pidOf(id: number): number | undefined {
    return this.#handles.get(id)?.pid;
  }

  /** Starts a worker's process, once what is to be done before it is done. */
  spawn(launch: WorkerLaunch): void {
    const { slot, generation } = launch;
    try {
      const before = this.#dependencies.beforeStart({ pid: undefined, slot, generation });
      if (before === undefined) {
        this.#start(launch);
        return;
      }
      this.#pool.workerEnters(launch.id, { step: "hook", of: "preFork" });
      before.then(
        () => this.#startLate(launch),
        (error: Error) => this.#dependencies.post({ type: "unstarted", id: launch.id, error }),
      );
    } catch (error) {
      this.#dependencies.post({ type: "unstarted", id: launch.id, error: error as Error });
    }
  }

  #start(launch: WorkerLaunch): void {
    this.#handles.set(launch.id, new WorkerHandle(launch, this.#dependencies.post));
  }

  /** Meanwhile it may have been told to stop. */
  #startLate(launch: WorkerLaunch): void {
    this.#pool.workerEnters(launch.id, undefined);
    if (this.#pool.find(launch.id)?.state === "booting") this.#start(launch);
    else this.#withdrawn(launch.id);
  }

  /** The end of a worker that is not wanted any more and had no process yet. */
  #withdrawn(id: number): void {
    this.#dependencies.post({ type: "exit", id, ending: { code: ExitCode.ok, signal: null } });
  }

  send(id: number, message: ToWorker<Config>): void {
    this.#handles.get(id)?.send(message);
  }

  broadcast(message: ToWorker<Config>): void {
    for (const handle of this.#handles.values()) handle.send(message);
  }

  /** A worker's program runs: it is told what to be, or to go if it is not wanted any more. */
  assign(id: number): void {
    const worker = this.#pool.find(id);
    this.#dependencies.arbiterLog.booting(this.pidOf(id), worker, this.#pool.now);
    if (worker?.state === "booting") this.#handles.get(id)?.assign();
    else this.send(id, { type: "quit" });
  }

  /**
   * To be called when a worker has said how many connections it has: it is told how many the others have, if that has
   * changed, and asked to let some go if it has far more.
   */
  balanceConnections(id: number): void {
    const average = averageConnections(this.#pool.roster);
    if (average !== this.#averages.get(id)) {
      this.#averages.set(id, average);
      this.send(id, { type: "average", connections: average });
    }
    const connections = excessConnections(this.#pool.roster, id);
    if (connections > 0) this.send(id, { type: "shed", connections });
  }

  kill(id: number, why: KillReason): void {
    const { arbiterLog } = this.#dependencies;
    const pid = this.pidOf(id);
    const worker = this.#pool.find(id);
    if (why !== "silence") arbiterLog.killing(pid, worker, why, this.#pool.desired.limits);
    else if (pid !== undefined && worker !== undefined) arbiterLog.silent(pid, worker, processState(pid));
    const handle = this.#handles.get(id);
    if (handle === undefined) this.#withdrawn(id);
    else {
      if (why === "silence") this.#suspect(handle.requests.list);
      handle.kill(why !== "silence");
    }
  }

  /** A worker serves. */
  handleReady(id: number): void {
    const milliseconds = this.#journalUntil - this.#pool.now;
    if (milliseconds > 0) this.send(id, { type: "journal-requests", milliseconds });
    this.balanceConnections(id);
  }

  /** A worker that served has died unasked, with these requests in its hands; undefined where it had no time to say. */
  #suspect(requests: readonly HeldRequest[] | undefined): void {
    const { now } = this.#pool;
    if (requests !== undefined) {
      const suspects = this.#suspects.died(requests, now);
      if (suspects.length > 0) this.#dependencies.arbiterLog.suspected(suspects, DEATHS);
      return;
    }
    this.#journalUntil = now + JOURNAL_FOR;
    this.broadcast({ type: "journal-requests", milliseconds: JOURNAL_FOR });
  }

  /** A worker's watchdog has something to say. */
  handleStall(report: StallReport): void {
    const [id = 0] = [...this.#handles.keys()].filter((known) => this.pidOf(known) === report.pid);
    this.#pool.workerStuck(id, report.kind === "recovered" ? undefined : report.stack);
    this.#dependencies.arbiterLog.stall(report);
    this.#lost.handleStall(report);
  }

  /** To be called often: what the kernel killed for want of memory, and was none of the crew, is forgotten. */
  forgetOldOomKills(now: number): void {
    this.#oomKills.forgetOld(now);
  }

  /** A worker's process could not be started, or the hook before it failed. */
  handleStartFailure(id: number, error: Error): void {
    this.#handles.delete(id);
    const what = error instanceof StartError ? "a worker could not be started: " : "";
    this.#pool.workerUnstarted(id, { kind: "startup", message: what + error.message });
  }

  /** A worker's process has ended. */
  handleExit(id: number, ending: Ending): void {
    const worker = this.#pool.find(id);
    if (worker === undefined) return;
    // What was killed by the arbiter was not killed by the kernel.
    const oomKills = worker.ordered === "kill" ? undefined : this.#oomKills;
    const how = exitName(ending.code, ending.signal, oomKills);
    // It may have been too early, or the app too much in the way, for the worker to say so.
    if (ending.signal !== null && STOP_SIGNALS.has(ending.signal)) this.#pool.workerSignalled(id);
    this.#pool.workerGone(id, how);
    const handle = this.#handles.get(id);
    if (handle === undefined) return;
    const { pid } = handle;
    const { list } = handle.requests;
    if (pid !== undefined)
      this.#lost.ended(pid, ending.signal === "SIGKILL", () => this.#dependencies.accessLogOf(pid, worker));
    const requests = list ?? [];
    this.#dependencies.arbiterLog.exited(
      { pid, record: worker, ending, how, requests },
      this.#pool.desired,
      this.#pool.now,
    );
    if (worker.state === "ready") this.#suspect(list);
    this.#handles.delete(id);
    this.#averages.delete(id);
    const { slot, generation, state, ordered, failure } = worker;
    const expected = state === "draining" && ordered !== "kill" && failure === undefined;
    this.#dependencies.ended({
      pid,
      slot,
      generation,
      exitCode: ending.code,
      signal: ending.signal,
      expected,
    });
  }
}
