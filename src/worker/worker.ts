/**
 * A worker's life cycle: booting (load the app, start it, accept) → ready → draining (finish requests, shut the
 * app down, exit). The arbiter's first message assigns its slot and settings. It exits on its own when the arbiter
 * is gone.
 */
import cluster from "node:cluster";
import { setMaxListeners } from "node:events";
import type { Config } from "../config/settings.ts";
import { ExitCode } from "../errors.ts";
import { workerInfo } from "../interop/worker-info.ts";
import { type BootStep, describeDuring } from "../ipc/boot-step.ts";
import type { Assignment, ToWorker } from "../ipc/messages.ts";
import type { StalledRequest } from "../ipc/stall-report.ts";
import type { LoadedFiles } from "../loader/loaded-files.ts";
import type { AccessLog } from "../log/access-log.ts";
import { ErrorLog } from "../log/error-log.ts";
import { surviveTerminalHangUp } from "../log/own-output.ts";
import { answerQuestion } from "./answering.ts";
import { AppEnd } from "./app-end.ts";
import { type AppExit, describeExit } from "./app-exit.ts";
import { failBoot, send } from "./arbiter-link.ts";
import { startBeats } from "./beats.ts";
import { Ending } from "./ending.ts";
import { reportHeap } from "./heap-reports.ts";
import { atExit } from "./last-acts.ts";
import { startLifetimeLimits } from "./lifetime.ts";
import { boundedRecords, watchLoop } from "./loop-watch.ts";
import { OwnEvents } from "./own-events.ts";
import { prepareProcess } from "./prepare-process.ts";
import { RequestReports } from "./request-reports.ts";
import type { WorkerScoreboard } from "./scoreboard.ts";
import { makeServing, type Serving } from "./serving.ts";
import type { Watchdog } from "./watchdog/watchdog.ts";
import { WorkerChannels } from "./worker-channels.ts";
import { WorkerHooks } from "./worker-hooks.ts";

/** How long an orphaned worker may finish its requests, in milliseconds. */
const ORPHAN_TIMEOUT_MS = 1000;

/** Starts the worker of this process. */
export function runWorker(): void {
  surviveTerminalHangUp();
  const worker = new WorkerLife();
  process.on("SIGQUIT", () => worker.onSignal("quit", "SIGQUIT"));
  process.on("SIGUSR1", () => worker.reopenLog());
  process.on("disconnect", () => worker.onArbiterGone());
  // Otherwise node:cluster exits the process immediately when the arbiter is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  send({ type: "booting" });
}

class WorkerLife {
  readonly #log = new ErrorLog();
  readonly #drain = new AbortController();
  readonly #events = new OwnEvents<ToWorker<Config>>({
    message: (message) => this.handle(message),
    signals: {
      SIGTERM: () => this.onSignal("drain", "SIGTERM"),
      SIGINT: () => this.onSignal("quit", "SIGINT"),
    },
  });
  #phase: "booting" | "ready" | "draining" = "booting";
  #serving: Serving | undefined;
  #accessLog: AccessLog | undefined;
  #watchdog: Watchdog | undefined;
  #loadedFiles: LoadedFiles | undefined;
  #hooks: WorkerHooks | undefined;
  #channels: WorkerChannels | undefined;
  #requests: RequestReports | undefined;
  #board: WorkerScoreboard | undefined;
  #ending: Ending | undefined;
  readonly #appEnd = new AppEnd(this.#events);
  #linger = 0;
  /** The current boot step. */
  #step: BootStep | undefined;

  constructor() {
    // Every long response may listen for it, so many listeners are no leak.
    setMaxListeners(0, this.#drain.signal);
  }

  handle(message: ToWorker<Config>): void {
    switch (message.type) {
      case "boot":
        this.#boot(message.assignment).catch(failBoot);
        return;
      case "drain":
        this.#stop("drain");
        return;
      case "quit":
        this.#stop("quit");
        return;
      case "balance":
        this.#serving?.limiter.setShare(message.share, message.shed);
        this.#serving?.server.shed(message.shed);
        return;
      case "ticket-keys":
        this.#serving?.front?.setTicketKeys(message.keys);
        return;
      case "reopen":
        this.reopenLog();
        return;
      case "ask":
        answerQuestion(message.number, message.question, this.#serving);
        return;
      case "last-lines":
        this.#serving?.server.logUnfinished();
        this.#accessLog?.flush();
        return;
    }
  }

  reopenLog(): void {
    this.#log.reopen();
    this.#accessLog?.reopen();
  }

  /** A signal from outside stops this worker. Notify the arbiter first, or the exit looks like a crash. */
  onSignal(order: "drain" | "quit", cause: string): void {
    if (this.#phase === "draining" && order === "drain") return;
    send({ type: "draining", cause });
    this.#stop(order);
  }

  /** The arbiter is gone: finish the requests in flight, then exit. */
  onArbiterGone(): void {
    this.#linger = 0;
    setTimeout(() => process.exit(ExitCode.failure), ORPHAN_TIMEOUT_MS).unref();
    this.#stop("drain");
  }

  async #boot(assignment: Assignment<Config>): Promise<void> {
    const failed = (error: unknown): void => {
      this.#loadedFiles?.flush();
      failBoot(error);
    };
    process.on("uncaughtException", failed);
    try {
      await this.#prepareProcess(assignment);
      this.#serving = await this.#startServing(assignment);
    } catch (error) {
      return failed(error);
    } finally {
      process.off("uncaughtException", failed);
    }
    this.#becomeReady(assignment, this.#serving);
  }

  /** Sets up the process and the watchdog, before any code of the app runs. */
  async #prepareProcess(assignment: Assignment<Config>): Promise<void> {
    const { settings } = assignment;
    this.#linger = settings.linger;
    const prepared = await prepareProcess(assignment, this.#log, (exit) => this.#onAppExit(exit));
    this.#board = prepared.board;
    this.#accessLog = prepared.accessLog;
    if (settings.preload) (await import("./compile-cache.ts")).useCompileCache();
    if (this.#accessLog !== undefined) atExit(() => this.#endAccessLog());
    if (assignment.watchesBoot) this.#watch(assignment);
  }

  #watch(assignment: Assignment<Config>): void {
    this.#watchdog = watchLoop(
      assignment,
      { inFlight: () => this.#inFlight(), abort: () => this.#abort() },
      this.#log,
    );
  }

  /** Loads and starts the app, and listens. */
  async #startServing(assignment: Assignment<Config>): Promise<Serving> {
    const { settings, slot, generation, descriptors } = assignment;
    const info = workerInfo({ slot, generation, drain: this.#drain.signal });
    const hooks = await WorkerHooks.load(assignment, info, this.#log);
    this.#useHooks(hooks);
    await this.#runHook(hooks, "postFork");
    this.#channels = new WorkerChannels(assignment);
    this.#channels.publish("start");
    if (settings.reload) await this.#watchLoading();
    const serving = await makeServing({
      assignment,
      worker: info,
      hooks: await hooks.requests(),
      sslContext: hooks.sslContext,
      log: this.#log,
      accessLog: this.#accessLog,
      meter: this.#board?.meter,
      loadedFiles: this.#loadedFiles,
      onStep: (step) => this.#startStep(step),
    });
    await this.#runHook(hooks, "postWorkerInit");
    if (settings.warmupPath !== undefined) {
      const { warmUp } = await import("./warm-up.ts");
      this.#startStep({ step: "warm-up", of: settings.warmupPath });
      await warmUp(serving.server, settings.warmupPath);
    }
    for (const descriptor of descriptors) await serving.server.listen(descriptor, settings.backlog);
    return serving;
  }

  #becomeReady(assignment: Assignment<Config>, serving: Serving): void {
    const { settings, reports } = assignment;
    const { server } = serving;
    this.#phase = "ready";
    if (this.#watchdog === undefined) this.#watch(assignment);
    serving.whenClosed?.(() => this.#serverClosed());
    this.#watchdog?.booted();
    this.#requests = new RequestReports(reports, server);
    process.on("exit", (code) => this.#reportOpenRequests(code));
    this.#loadedFiles?.flush();
    reportHeap(assignment.heapReports);
    send({ type: "ready", serving: serving.what });
    this.#channels?.publish("ready");
    this.#board?.ready(serving, this.#log, (amount) => send({ type: "due", why: "heap", amount }));
    const debuggerOpen = (): boolean => this.#watchdog?.debuggerOpen ?? false;
    startBeats(serving, settings.timeout, debuggerOpen, send, () => this.#board?.beat());
    startLifetimeLimits(settings, server, (due) => send({ type: "due", ...due }));
  }

  #startStep(step: BootStep): void {
    this.#step = step;
    send({ type: "boot-step", ...step });
  }

  async #runHook(hooks: WorkerHooks, name: "postFork" | "postWorkerInit"): Promise<void> {
    if (!hooks.has(name)) return;
    this.#startStep({ step: "hook", of: name });
    await hooks.run(name);
  }

  /** The app called process.exit(): before the worker was ready, or to end it. */
  #onAppExit(exit: AppExit): void {
    this.#appEnd.exited();
    if (this.#phase !== "booting" || this.#step === undefined) return;
    const kind = this.#step.step === "load" || this.#step.step === "call" ? "load" : "startup";
    const message = describeExit(exit, describeDuring(this.#step));
    this.#loadedFiles?.flush();
    send({ type: "failed", kind, message, stack: exit.stack });
  }

  /** Called while the event loop is stuck, so it also flushes the access log. */
  #inFlight(): StalledRequest[] {
    this.#accessLog?.flush();
    return boundedRecords(this.#serving?.server.inFlight() ?? []);
  }

  /** Reports the requests in flight, unless this is an ordered exit. */
  #reportOpenRequests(exitCode: number): void {
    if (this.#phase !== "draining" || exitCode !== ExitCode.ok) this.#requests?.reportInFlight();
  }

  #endAccessLog(): void {
    this.#serving?.server.logUnfinished();
    this.#accessLog?.end();
  }

  async #watchLoading(): Promise<void> {
    const { LoadedFiles } = await import("../loader/loaded-files.ts");
    this.#loadedFiles = new LoadedFiles((files) => send({ type: "loaded", files }));
  }

  #useHooks(hooks: WorkerHooks): void {
    this.#hooks = hooks;
    const { abort } = hooks;
    if (abort === undefined) return;
    process.once("SIGABRT", () => {
      abort();
      // `once` has removed the listener, so this signal ends the process.
      process.kill(process.pid, "SIGABRT");
    });
  }

  /** Called while app code blocks the loop. If that code returns now, exit anyway. */
  #abort(): void {
    this.#hooks?.abort?.();
    setImmediate(() => process.exit(ExitCode.failure));
  }

  #stop(order: "drain" | "quit"): void {
    this.#runStop(order).catch((error: unknown) => {
      this.#log.critical("The worker failed to stop cleanly: it exits", error);
      process.exit(ExitCode.failure);
    });
  }

  async #runStop(order: "drain" | "quit"): Promise<void> {
    const wasReady = this.#phase === "ready";
    const draining = this.#phase === "draining";
    this.#phase = "draining";
    // A worker that has not served has no requests to finish, and its app is not ready for shutdown().
    if (this.#serving === undefined) process.exit(ExitCode.ok);
    this.#ending ??= new Ending({
      serving: this.#serving,
      log: this.#log,
      accessLog: this.#accessLog,
      hooks: this.#hooks,
      events: this.#events,
      appEnd: this.#appEnd,
    });
    if (order === "quit") await this.#ending.cutShort();
    if (draining || !wasReady) return;
    this.#channels?.publish("drain");
    this.#drain.abort();
    await this.#ending.run(order, this.#linger);
  }

  /** The app closed the server that it made listen. */
  #serverClosed(): void {
    if (this.#phase !== "ready") return;
    this.#log.warning("The app closed its server: this worker is replaced");
    this.onSignal("drain", "closed");
  }
}
