/**
 * The processes behind the workers of the roster, by worker id. Carries out what the pool orders for a worker, and
 * reports to the pool what happened to the process.
 */
import type { EndedWorker, WorkerProcess } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode } from "../../errors.ts";
import { parseNote } from "../../ipc/last-words.ts";
import type { ToWorker } from "../../ipc/messages.ts";
import type { RequestInFlight } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";
import type { AccessLogOptions } from "../../log/access-log.ts";
import { processState } from "../../system/process-state.ts";
import type { ArbiterEvent, Ending } from "../event.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import { CrashSuspects, SUSPECT_DEATHS } from "../logs/crash-suspects.ts";
import type { Pool } from "../pool/pool.ts";
import type { KillReason, WorkerRecord } from "../pool/roster.ts";
import { ownStopCause, STOP_SIGNALS } from "../pool/stop-cause.ts";
import type { BlackBox } from "../records/black-box.ts";
import type { WorkerEnd } from "../stats/exit-reason.ts";
import type { Stats } from "../stats/stats.ts";
import { Balancer } from "./balancer.ts";
import { StartError } from "./child-process.ts";
import type { ExaminationChannel } from "./examination-channel.ts";
import { exitName, OomKills } from "./exit-name.ts";
import { LostRequests } from "./lost-requests.ts";
import { WorkerHandle, type WorkerLaunch } from "./worker-handle.ts";

/** The parts of the arbiter that this class needs. */
export interface WorkerProcessDependencies {
  readonly arbiterLog: ArbiterLog;
  pool(): Pool;
  /** The access log of a dead worker; undefined if it had none. */
  accessLogOf(pid: number, worker: WorkerRecord): AccessLogOptions | undefined;
  /** The listening sockets of a worker, with the arbiter's descriptors. */
  socketsOf(worker: { readonly slot: number; readonly generation: number }): WorkerLaunch["sockets"];
  /** Binds the workers' own socket of a slot; undefined if there is nothing to wait for. */
  bindFor(slot: number): Promise<void> | undefined;
  /** Await the result before starting the worker; undefined if there is nothing to wait for. */
  beforeStart(worker: WorkerProcess): Promise<void> | undefined;
  readonly stats: Pick<Stats, "allocate" | "started" | "unstarted" | "ended" | "requestsOf">;
  readonly blackBox: Pick<BlackBox, "record" | "takeHeapReport" | "hint">;
  /** Called after a process has ended. */
  ended(worker: EndedWorker): void;
  /** Receives the messages and exits of the processes. */
  post(event: ArbiterEvent): void;
}

/** A worker to start. Its sockets are known once its own is bound. */
export type PlannedLaunch = Omit<WorkerLaunch, "sockets" | "watchesBoot" | "scoreboard">;

/** How long each boot is watched after a worker was blocked, or was not ready in time. */
const WATCH_MS = 600_000;

export class WorkerProcesses {
  readonly #dependencies: WorkerProcessDependencies;
  readonly #handles = new Map<number, WorkerHandle>();
  readonly #balancer = new Balancer((id, message) => this.send(id, message));
  readonly #oomKills = new OomKills();
  readonly #lost = new LostRequests();
  readonly #suspects = new CrashSuspects();
  #watchUntil = Number.NEGATIVE_INFINITY;

  constructor(dependencies: WorkerProcessDependencies) {
    this.#dependencies = dependencies;
  }

  get #pool(): Pool {
    return this.#dependencies.pool();
  }

  /** Undefined if the process has ended or could not be started. */
  pidOf(id: number): number | undefined {
    return this.#handles.get(id)?.pid;
  }

  /** How the worker is examined; undefined if its process has ended, or its watchdog is not yet there. */
  examinationsOf(id: number): ExaminationChannel | undefined {
    const handle = this.#handles.get(id);
    const isWatched = handle?.watchesBoot === true || this.#pool.find(id)?.readyAt !== undefined;
    return isWatched ? handle?.examinations : undefined;
  }

  /** Starts a worker's process after its own socket is bound and the hook `preFork` has run. */
  spawn(launch: PlannedLaunch): void {
    const bound = this.#dependencies.bindFor(launch.slot);
    if (bound === undefined) {
      this.#spawn(launch);
      return;
    }
    bound.then(
      () => (this.#isWanted(launch.id) ? this.#spawn(launch) : this.#cancel(launch.id)),
      (error: Error) => this.#dependencies.post({ type: "unstarted", id: launch.id, error }),
    );
  }

  #spawn(launch: PlannedLaunch): void {
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

  #start(launch: PlannedLaunch): void {
    const watchesBoot =
      this.#pool.now < this.#watchUntil || this.#bootWatcher(launch.generation) === undefined;
    const sockets = this.#dependencies.socketsOf(launch);
    const scoreboard = this.#dependencies.stats.allocate(launch);
    const complete = { ...launch, watchesBoot, sockets, scoreboard };
    const handle = new WorkerHandle(complete, this.#dependencies.post);
    this.#handles.set(launch.id, handle);
    if (handle.pid !== undefined) this.#dependencies.stats.started();
  }

  /**
   * The worker whose boot is watched on behalf of all that boot with it. They load the same app, and a watchdog's thread takes
   * half as much CPU time as the rest of a boot.
   */
  #bootWatcher(generation: number): WorkerRecord | undefined {
    return this.#pool.roster.find(
      (worker) =>
        worker.generation === generation &&
        worker.state === "booting" &&
        this.#handles.get(worker.id)?.watchesBoot === true,
    );
  }

  /** Starts it unless it was told to stop during the hook. */
  #startLate(launch: PlannedLaunch): void {
    this.#pool.workerEnters(launch.id, undefined);
    if (this.#isWanted(launch.id)) this.#start(launch);
    else this.#cancel(launch.id);
  }

  /** Whether a worker without a process was not told to stop meanwhile. */
  #isWanted(id: number): boolean {
    return this.#pool.find(id)?.state === "booting";
  }

  /** Ends a worker that has no process yet. */
  #cancel(id: number): void {
    this.#dependencies.post({ type: "exit", id, ending: { code: ExitCode.ok, signal: null } });
  }

  send(id: number, message: ToWorker<Config>): void {
    this.#handles.get(id)?.send(message);
  }

  /** Sends a worker that has become ready the keys of session tickets if they are new: one that boots gets none. */
  completeTicketKeys(id: number, keys: string | undefined): void {
    const handle = this.#handles.get(id);
    if (keys !== undefined && keys !== handle?.firstTicketKeys) handle?.send({ type: "ticket-keys", keys });
  }

  broadcast(message: ToWorker<Config>): void {
    for (const handle of this.#handles.values()) handle.send(message);
  }

  /** A worker's program runs: sends its assignment, or an order to exit if it is no longer needed. */
  assign(id: number): void {
    const worker = this.#pool.find(id);
    this.#dependencies.arbiterLog.booting(this.pidOf(id), worker, this.#pool.now);
    if (worker?.state === "booting") this.#handles.get(id)?.assign();
    else this.send(id, { type: "quit" });
  }

  /** Balances the connections. Call on every event; returns when to call it again at the latest. */
  balance(): number | undefined {
    return this.#balancer.review(this.#pool.roster, this.#pool.now);
  }

  kill(id: number, why: KillReason): void {
    const { arbiterLog } = this.#dependencies;
    const pid = this.pidOf(id);
    const worker = this.#pool.find(id);
    if (why === "silence" || why === "boot-timeout") this.#watchUntil = this.#pool.now + WATCH_MS;
    if (why !== "silence") arbiterLog.killing(pid, worker, why, this.#pool.desired.limits);
    const handle = this.#handles.get(id);
    if (why === "silence" && pid !== undefined && worker !== undefined) {
      const state = processState(pid);
      if (handle !== undefined) handle.signs.wasStopped = state === "stopped";
      arbiterLog.silent(pid, worker, state);
    }
    if (handle === undefined) this.#cancel(id);
    else {
      if (why === "silence") this.#recordDeath(this.#requestsOf(id, handle));
      handle.kill(why !== "silence");
    }
  }

  /** The requests in flight in a worker, as it has reported them, or as its page has them; undefined if neither is known. */
  #requestsOf(id: number, { requests }: WorkerHandle): readonly RequestInFlight[] | undefined {
    return requests.list ?? this.#dependencies.stats.requestsOf(id);
  }

  /**
   * Looks for requests that crash workers, after the unexpected death of one that served.
   *
   * @param requests in flight in the worker; undefined if they are not known
   */
  #recordDeath(requests: readonly RequestInFlight[] | undefined): void {
    if (requests === undefined) return;
    const suspects = this.#suspects.recordDeath(requests, this.#pool.now);
    if (suspects.length > 0) this.#dependencies.arbiterLog.suspected(suspects, SUSPECT_DEATHS);
  }

  handleStall(report: StallReport): void {
    const [id = 0] = [...this.#handles.keys()].filter((each) => this.pidOf(each) === report.pid);
    const stack = report.kind === "recovered" ? undefined : report.stack;
    for (const stuck of [id, ...this.#watchedThrough(id)]) this.#pool.workerStuck(stuck, stack);
    this.#dependencies.arbiterLog.stall(report);
    this.#lost.handleStall(report);
  }

  /** The workers that are taken to be where the booting worker `id` is: in the same step, and not watched themselves. */
  #watchedThrough(id: number): number[] {
    const watcher = this.#pool.find(id);
    if (watcher?.state !== "booting") return [];
    return this.#pool.roster
      .filter(
        ({ state, generation, bootStep }) =>
          state === "booting" &&
          generation === watcher.generation &&
          bootStep?.step === watcher.bootStep?.step,
      )
      .map((worker) => worker.id)
      .filter((other) => this.#handles.get(other)?.watchesBoot === false);
  }

  /** Counts a worker's end and has it recorded. Returns why it ended. */
  #recordEnd(handle: WorkerHandle, record: WorkerRecord, ending: Ending, how: string): WorkerEnd {
    const { id, pid, signs, requests } = handle;
    const { stats, blackBox } = this.#dependencies;
    const heap = pid === undefined ? undefined : blackBox.takeHeapReport(pid, ending);
    const saidWhy = signs.words !== undefined ? false : undefined;
    const isHeapExhausted = heap !== undefined ? true : saidWhy;
    const ended = stats.ended({ id, pid, record, ending, how, isHeapExhausted });
    const oomKills = this.#oomKills.change();
    const { stall, wasStopped } = signs;
    const note = ended.page?.note;
    // The pipe is full while the arbiter does not read.
    const words = signs.words ?? (note === undefined ? undefined : parseNote(note));
    const known = { stall, words, wasStopped, oomKills, heap, requests: requests.list };
    blackBox.record({ ...ended, ...known }, this.#pool.now);
    return ended.end;
  }

  /** Forgets out-of-memory kills that did not hit a worker. Call on every tick. */
  forgetOldOomKills(now: number): void {
    this.#oomKills.forgetOld(now);
  }

  /** A worker's process could not be started, or the hook `preFork` failed. */
  handleStartFailure(id: number, error: Error): void {
    this.#handles.delete(id);
    this.#dependencies.stats.unstarted(id);
    const what = error instanceof StartError ? "a worker could not be started: " : "";
    this.#pool.workerUnstarted(id, { kind: "startup", message: what + error.message });
  }

  handleExit(id: number, ending: Ending): void {
    const worker = this.#pool.find(id);
    if (worker === undefined) return;
    // A worker that the arbiter killed must not claim one of the kernel's kills.
    const oomKills = worker.ordered === "kill" ? undefined : this.#oomKills;
    const handle = this.#handles.get(id);
    const how = exitName(ending.code, ending.signal, oomKills, handle?.hasBegun);
    // The worker reports such a signal itself, unless it came too early or the app blocked the loop.
    if (ending.signal !== null && STOP_SIGNALS.has(ending.signal))
      this.#pool.workerSignalled(id, ownStopCause(ending.signal));
    this.#pool.workerGone(id, how);
    if (handle === undefined) return;
    const { pid } = handle;
    // Before its page is folded into the totals.
    const list = this.#requestsOf(id, handle);
    const { reason, isProblem } = this.#recordEnd(handle, worker, ending, how);
    if (pid !== undefined)
      this.#lost.handleExit(pid, ending.signal === "SIGKILL", () =>
        this.#dependencies.accessLogOf(pid, worker),
      );
    const requests = list ?? [];
    const hint = pid === undefined ? undefined : this.#dependencies.blackBox.hint(pid);
    this.#dependencies.arbiterLog.exited(
      { pid, record: worker, ending, how, requests, reason, isProblem, hint },
      this.#pool.desired,
      this.#pool.now,
    );
    if (worker.state === "ready") this.#recordDeath(list);
    this.#handles.delete(id);
    this.#balancer.forget(id);
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
