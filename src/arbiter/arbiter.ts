/**
 * The arbiter: binds, keeps a pool of workers, and never touches a connection. Its life is one loop:
 * whatever happens comes as an event out of one mailbox and changes the pool, and then the pool settles.
 */
import { isAbsolute, resolve } from "node:path";
import type { Configuration } from "../config/config.ts";
import type { Hooks, ServerContext } from "../config/hooks.ts";
import { processName, processTitle } from "../config/process-title.ts";
import { type Config, MOST_WORKERS } from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";
import type { Outcome, StopMode } from "../control/api.ts";
import { ExitCode } from "../errors.ts";
import type { FromWorker, Identity } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { outliveTerminal } from "../log/own-output.ts";
import { workerCount } from "../system/cpu-limit.ts";
import { DescriptorReserve } from "../system/descriptor-reserve.ts";
import { socketOwnership, workerIdentity } from "../system/identity.ts";
import { PidFile } from "../system/pid-file.ts";
import { Reaper } from "../system/reaper.ts";
import { Terminal } from "../system/terminal.ts";
import { enterFolder } from "../system/working-folder.ts";
import { ServiceNotifier } from "../systemd/notify.ts";
import { ControlCommands, type ControlDependencies } from "./control/control-commands.ts";
import { ControlEndpoints } from "./control/control-endpoints.ts";
import { Service } from "./control/service.ts";
import { type ArbiterEvent, SIGNALS, type Signal } from "./event.ts";
import { ArbiterLog } from "./logs/arbiter-log.ts";
import { Logs } from "./logs/logs.ts";
import { Mailbox } from "./mailbox.ts";
import { firstBoot, type Limits } from "./pool/desired.ts";
import { Pool, type PoolEffects } from "./pool/pool.ts";
import { Recycling } from "./pool/recycling.ts";
import { WakingClock } from "./pool/waking-clock.ts";
import type { FileWatch } from "./reload/file-watch.ts";
import { Generations } from "./reload/generations.ts";
import { Reload } from "./reload/reload.ts";
import { ServerHooks } from "./reload/server-hooks.ts";
import { type BindOptions, bindAgain } from "./sockets/bind.ts";
import { Listeners } from "./sockets/listeners.ts";
import { SocketWatch } from "./sockets/socket-watch.ts";
import { adoptSockets, openSockets } from "./sockets/sockets.ts";
import { outliveStrayErrors } from "./stray-errors.ts";
import type { BootReport } from "./upgrade/boot-report.ts";
import { Predecessor, type PredecessorStep } from "./upgrade/handover.ts";
import { currentInvocation } from "./upgrade/invocation.ts";
import { Successor } from "./upgrade/successor.ts";
import { Upgrade, type UpgradeDependencies } from "./upgrade/upgrade.ts";
import { Preload } from "./workers/preload.ts";
import { WorkerProcesses } from "./workers/worker-processes.ts";

export interface ArbiterOptions {
  readonly configuration: Configuration;
  /** Reads the configuration again, for a reload. */
  readAgain(): Promise<Configuration>;
  /** Where somebody waits to hear that this arbiter serves, or why not. */
  readonly report?: BootReport | undefined;
  /** SIGHUP stops the server, as it does other programs that somebody has in a terminal. Default: only when that is gone. */
  readonly stopsOnHangUp?: boolean;
}

export class Arbiter {
  readonly #mailbox = new Mailbox<ArbiterEvent>();
  readonly #clock = new WakingClock(() => this.#mailbox.post({ type: "tick" }));
  readonly #pool: Pool;
  readonly #workerProcesses: WorkerProcesses;
  readonly #generations: Generations;
  readonly #hooks = new ServerHooks(this.#serverContext(), () => this.#current.bootTimeout);
  readonly #folder: string;
  readonly #identity: Identity;
  readonly #logs: Logs;
  readonly #log: ErrorLog;
  readonly #arbiterLog: ArbiterLog;
  readonly #commands: ControlCommands;
  readonly #endpoints: ControlEndpoints;
  readonly #reload: Reload;
  readonly #recycling: Recycling;
  #files: FileWatch | undefined;
  /** The configuration at the start: what a reload cannot change stands here. */
  readonly #fixed: Config;
  readonly #report: BootReport | undefined;
  readonly #terminal = new Terminal();
  readonly #stopsOnHangUp: boolean;
  readonly #predecessor = Predecessor.fromEnvironment();
  readonly #invocation = currentInvocation();
  readonly #sockets = new Listeners({
    hasPredecessor: () => this.#predecessor?.isServing === true,
    hasSuccessor: () => this.#upgrade.hasSuccessor,
  });
  readonly #socketWatch: SocketWatch;
  readonly #reserve = new DescriptorReserve((warning) => this.#log.warning(warning));
  readonly #preload: Preload;
  readonly #upgrade: Upgrade;
  readonly #service: Service;
  #pidFile: PidFile | undefined;
  /** The number of workers that was last told of. */
  #toldWorkers: number | undefined;

  /** @throws FatalError when the folder to work in, the user or the group is not there. */
  constructor(options: ArbiterOptions) {
    const { config } = options.configuration;
    this.#report = options.report;
    this.#stopsOnHangUp = options.stopsOnHangUp === true;
    this.#folder = enterFolder(config.chdir);
    this.#identity = workerIdentity(config);
    this.#logs = new Logs(this.#folder, this.#identity);
    this.#log = this.#logs.errors;
    this.#arbiterLog = new ArbiterLog(this.#log);
    this.#socketWatch = new SocketWatch(this.#sockets, this.#arbiterLog);
    if (config.umask !== undefined) process.umask(config.umask);
    this.#logs.prepare(config);
    this.#logs.adopt(config);
    process.title = processTitle("arbiter", config);
    this.#generations = new Generations(options.configuration, this.#folder);
    this.#fixed = config;
    this.#preload = new Preload(this.#folder, this.#identity, this.#log);
    const wanted = firstBoot(workerCount(config.workers), config.reloadSurge, limitsOf(config));
    this.#workerProcesses = new WorkerProcesses({
      arbiterLog: this.#arbiterLog,
      pool: () => this.#pool,
      accessLogOf: (pid, { slot, generation }) =>
        this.#logs.ofLost({ pid, slot }, this.#generations.find(generation) ?? config),
      beforeStart: (worker) => this.#hooks.run(this.#hooksOf(worker.generation), "preFork", worker),
      ended: (worker) => this.#hooks.tell(this.#hooksOf(worker.generation), "childExit", worker),
      post: (event) => this.#mailbox.post(event),
    });
    this.#pool = new Pool(wanted, this.#effects(), () => this.#clock.now());
    this.#commands = new ControlCommands(this.#deskOffice());
    this.#endpoints = new ControlEndpoints(config, this.#commands, this.#log, this.#predecessor?.endpoints);
    this.#reload = new Reload({
      pool: this.#pool,
      generations: this.#generations,
      commands: this.#commands,
      arbiterLog: this.#arbiterLog,
      readAgain: () => this.#readAgain(options.readAgain),
      preflight: (read) => this.#preload.check(read),
      logs: this.#logs,
      sockets: this.#sockets,
      renewSockets: () => this.#sockets.renew((lost) => bindAgain(lost, this.#bindOptions())),
      post: (event) => this.#mailbox.post({ type: "reload", event }),
    });
    this.#upgrade = new Upgrade(this.#upgradeOffice());
    const onFailure = (error: Error): void => this.#log.warning(`systemd cannot be told: ${error.message}`);
    this.#service = new Service(new ServiceNotifier({ onFailure }));
    this.#recycling = new Recycling({
      pool: this.#pool,
      log: this.#log,
      pidOf: (id) => this.#workerProcesses.pidOf(id),
      configOf: (generation) => this.#generations.find(generation),
      post: (use) => this.#mailbox.post({ type: "memory", use }),
    });
  }

  /**
   * Serves until it is told to stop; returns the exit code.
   * @throws FatalError when an address cannot be bound, or the pid file is another server's.
   */
  async run(): Promise<ExitCode> {
    for (const signal of SIGNALS) {
      process.on(signal, () => this.#mailbox.post({ type: "signal", signal }));
    }
    outliveStrayErrors(this.#log);
    outliveTerminal();
    await this.#hooks.wait(this.#currentHooks, "onStarting");
    this.#pidFile = this.#claimPidFile();
    try {
      const stopped = await this.#preload.checkBeforeStart(this.#fixed);
      await this.#openSockets();
      if (this.#predecessor === undefined) await this.#endpoints.openHealth();
      if (this.#fixed.reload) this.#files = await this.#watchFiles(this.#fixed);
      await this.#hooks.wait(this.#currentHooks, "whenReady");
      // The workers are started before the first line is logged: they boot while the log is loaded.
      if (!stopped) this.#settle();
      this.#arbiterLog.started(this.#sockets.listeners);
      this.#enterService();
      new Reaper({ onFailure: (message) => this.#log.warning(message) }).start();
      while (this.#pool.exitCode === undefined) {
        for (const event of await this.#mailbox.take()) this.#take(event);
        this.#upgrade.advance();
        this.#settle();
        this.#commands.checkPending();
      }
      // The loop is over, but people still know this pid as the server's.
      this.#mailbox.divert((event) => {
        if (event.type === "command") this.#commands.handle(event.command);
        if (event.type !== "signal") return;
        if (event.signal === "SIGHUP") this.#upgrade.forwardReload();
        if (event.signal === "SIGUSR1") this.#upgrade.forwardReopen();
      });
      await this.#upgrade.finish((pid) => this.#service.handOver(pid));
      this.#arbiterLog.stopped(this.#pool.desired.stop);
      await this.#service.close();
      const { reason = "it was stopped while it was booting" } = this.#pool.desired.stop ?? {};
      this.#report?.failed(reason, this.#pool.exitCode || ExitCode.failure);
      return this.#pool.exitCode;
    } finally {
      this.#leave();
      await this.#hooks.runLast(this.#currentHooks);
      await this.#log.close();
    }
  }

  async #openSockets(): Promise<void> {
    const handed = this.#predecessor?.listeners;
    const options = this.#bindOptions();
    if (handed === undefined) this.#sockets.hold(await openSockets(this.#fixed.bind, options));
    else this.#sockets.hold(await adoptSockets(handed, options), handed);
  }

  #bindOptions(): BindOptions {
    const { reusePort, backlog } = this.#fixed;
    return { reusePort, backlog, ownership: socketOwnership(this.#fixed, this.#identity) };
  }

  #leave(): void {
    this.#clock.stop();
    this.#recycling.stop();
    this.#files?.close();
    this.#mailbox.close();
    this.#endpoints.close(this.#sockets.isShared);
    this.#sockets.removeFiles();
    this.#pidFile?.remove();
  }

  /** The configuration of what serves; before that, of what is to. */
  get #current(): Config {
    return this.#generations.configOf(this.#currentGeneration);
  }

  get #currentHooks(): Partial<Hooks> {
    return this.#hooksOf(this.#currentGeneration);
  }

  get #currentGeneration(): number {
    return this.#pool.desired.established || this.#generations.newest;
  }

  #hooksOf(generation: number): Partial<Hooks> {
    return this.#generations.hooksOf(generation);
  }

  async #readAgain(read: () => Promise<Configuration>): Promise<Configuration> {
    const configuration = await read();
    await this.#hooks.wait(configuration.hooks, "onReload");
    return configuration;
  }

  #serverContext(): ServerContext {
    const arbiter = this;
    return {
      pid: process.pid,
      get name() {
        return processName(arbiter.#current);
      },
      get listening() {
        return arbiter.#sockets.urls;
      },
      get generation() {
        return arbiter.#generations.newest;
      },
      get workers() {
        return arbiter.#pool.desired.target;
      },
      get log() {
        return arbiter.#log;
      },
    };
  }

  /** The file of the arbiter that this one follows is left alone until that one is gone. */
  #claimPidFile(): PidFile | undefined {
    const { pid } = this.#fixed;
    if (pid === undefined) return undefined;
    return PidFile.claim(resolve(this.#predecessor === undefined ? pid : `${pid}.2`));
  }

  /** Becomes the service, at once or step by step as the arbiter before this one goes. */
  #enterService(): void {
    if (this.#predecessor !== undefined) {
      this.#predecessor.watch(this.#report, (step) => this.#mailbox.post({ type: "predecessor", step }));
      return;
    }
    this.#endpoints.openControl();
    this.#beginService();
  }

  #beginService(): void {
    this.#service.begin(() => this.#mailbox.post({ type: "tick" }));
  }

  #takePredecessor(step: PredecessorStep): void {
    switch (step) {
      case "leaving":
        this.#endpoints.takeOver();
        return;
      case "released":
        this.#beginService();
        return;
      case "gone":
        this.#arbiterLog.predecessorGone(this.#predecessor?.pid);
        this.#renamePidFile();
        return;
    }
  }

  #renamePidFile(): void {
    try {
      this.#pidFile?.rename(resolve(this.#fixed.pid as string), this.#predecessor?.pid);
    } catch (error) {
      this.#log.error((error as Error).message);
    }
  }

  #take(event: ArbiterEvent): void {
    switch (event.type) {
      case "signal":
        this.#takeSignal(event.signal);
        return;
      case "message":
        this.#takeMessage(event.id, event.message);
        return;
      case "exit":
        this.#workerProcesses.handleExit(event.id, event.ending);
        return;
      case "unstarted":
        this.#workerProcesses.handleStartFailure(event.id, event.error);
        return;
      case "memory":
        this.#recycling.weighed(event.use);
        return;
      case "stall":
        this.#workerProcesses.handleStall(event.report);
        return;
      case "command":
        this.#commands.handle(event.command);
        return;
      case "successor":
        this.#upgrade.handle(event.event);
        return;
      case "predecessor":
        this.#takePredecessor(event.step);
        return;
      case "reload":
        this.#reload.take(event.event);
        return;
      case "files":
        // The new arbiter watches the files, too.
        if (!this.#upgrade.isLeaving) this.#reload.askFor(event.changed);
        return;
      case "tick":
        return;
    }
  }

  /** A reload that is asked of an arbiter that leaves is the new arbiter's to do. */
  #askForReload(): void {
    if (this.#upgrade.forwardReload()) return;
    // As in gunicorn, whose logs are rotated by HUP as well. The workers reopen theirs too: they stay if the reload fails.
    this.#reopenLogs();
    this.#reload.ask();
  }

  #takeSignal(signal: Signal): void {
    // A window that changes its size signals its foreground processes; only in the background it is a command.
    if (signal === "SIGWINCH" && this.#terminal.isInUse) return;
    this.#arbiterLog.signalled(signal);
    switch (signal) {
      case "SIGTERM":
        this.#stopGracefully();
        return;
      case "SIGINT":
      case "SIGQUIT":
        this.#pool.stopQuickly();
        return;
      case "SIGHUP":
        if (this.#stopsOnHangUp || this.#terminal.isGone) this.#hangUp();
        else this.#askForReload();
        return;
      case "SIGTTIN":
        this.#addWorker();
        return;
      case "SIGTTOU":
        this.#pool.scale(this.#pool.desired.target - 1);
        return;
      case "SIGWINCH":
        this.#pool.scale(0);
        return;
      case "SIGUSR1":
        this.#reopenLogs();
        return;
      case "SIGUSR2":
        this.#unawaited("The upgrade failed", this.#upgrade.begin());
        return;
    }
  }

  /** Stops the server: this arbiter and, while one leaves for the other, the other one as well. */
  #stopServer(mode: StopMode): void {
    const signal = mode === "quick" ? "SIGQUIT" : "SIGTERM";
    this.#predecessor?.signal(signal);
    if (this.#upgrade.isLeaving) this.#upgrade.signal(signal);
    if (mode === "quick") this.#pool.stopQuickly();
    else this.#stopGracefully();
  }

  /** The shell and the system may both say so: that is one wish. */
  #hangUp(): void {
    if (this.#pool.desired.stop !== undefined) return;
    this.#arbiterLog.terminalHungUp();
    this.#stopServer("graceful");
  }

  #addWorker(): void {
    const { target } = this.#pool.desired;
    if (this.#upgrade.isLeaving) this.#arbiterLog.noWorkerWhileLeaving(this.#upgrade.successorPid);
    else if (target >= MOST_WORKERS) this.#arbiterLog.noWorkerAtLimit(target);
    else this.#pool.scale(target + 1);
  }

  /** What nobody waits for must not end the arbiter when it fails. */
  #unawaited(failure: string, promise: Promise<unknown>): void {
    promise.catch((error) => this.#log.error(failure, error));
  }

  #stopGracefully(): void {
    // An arbiter that leaves takes no new requests: there is nothing to serve on for.
    const drainDelay = this.#upgrade.isLeaving ? 0 : this.#fixed.drainDelay;
    if (drainDelay > 0 && this.#pool.desired.stop === undefined) this.#arbiterLog.drainDelayed(drainDelay);
    this.#pool.stopGracefully(drainDelay);
  }

  #reopenLogs(): Outcome {
    const outcome = this.#logs.reopen(this.#generations.configs);
    this.#workerProcesses.broadcast({ type: "reopen" });
    this.#upgrade.forwardReopen();
    return outcome;
  }

  #upgradeOffice(): UpgradeDependencies {
    return {
      pool: this.#pool,
      log: this.#log,
      invocation: this.#invocation,
      listeners: () => this.#sockets.listeners,
      config: () => this.#current,
      predecessorPid: () => (this.#predecessor?.isAlive ? this.#predecessor.pid : undefined),
      start: (launch) => new Successor(launch, (event) => this.#mailbox.post({ type: "successor", event })),
      cleanUpAfterSuccessor: (pid) => PidFile.clearUp(`${this.#pidFile?.path}.2`, pid),
      reload: () => this.#reload.ask(),
      withdrawReloads: (why) => this.#reload.withdraw(why),
      beforeStart: () => this.#hooks.wait(this.#currentHooks, "preExec"),
      endpoints: () => this.#endpoints.sockets,
      endpointsTakenOver: () => this.#endpoints.waitUntilTakenOver(),
      reclaimEndpoints: () => this.#endpoints.takeOver(),
    };
  }

  #deskOffice(): ControlDependencies {
    return {
      pool: this.#pool,
      minReady: this.#fixed.minReady,
      isSuccessorReady: () => this.#upgrade.isSuccessorReady,
      lostSockets: () => this.#sockets.lost(),
      generations: this.#generations,
      post: (command) => this.#mailbox.post({ type: "command", command }),
      pidOf: (id) => this.#workerProcesses.pidOf(id),
      reload: () => this.#askForReload(),
      upgrade: () => this.#upgrade.begin(),
      reopen: () => this.#reopenLogs(),
      stop: (mode) => this.#stopServer(mode),
      leavingFor: () => (this.#upgrade.isLeaving ? this.#upgrade.successorPid : undefined),
      describe: () => {
        return {
          name: processName(this.#current),
          version: packageVersion(),
          app: this.#current.app ?? "",
          listening: this.#sockets.urls,
        };
      },
    };
  }

  #takeMessage(id: number, message: FromWorker): void {
    switch (message.type) {
      case "booting":
        this.#workerProcesses.assign(id);
        return;
      case "boot-step":
        this.#pool.workerEnters(id, message);
        return;
      case "loaded": {
        const { generation = 0 } = this.#pool.find(id) ?? {};
        this.#files?.loaded(generation, message.files);
        return;
      }
      case "ready": {
        const { candidate } = this.#pool.desired;
        const first = candidate?.proven === false && this.#pool.find(id)?.generation === candidate.generation;
        if (first && this.#generations.placeholderFor(candidate.generation) === undefined)
          this.#arbiterLog.serving(message.serving);
        this.#pool.workerReady(id);
        this.#workerProcesses.handleReady(id);
        return;
      }
      case "failed":
        this.#pool.workerFailed(id, message);
        return;
      case "beat":
        this.#pool.workerBeat(id, message);
        this.#workerProcesses.balanceConnections(id);
        return;
      case "due":
        this.#recycling.due(id, message);
        return;
      case "draining":
        this.#pool.workerSignalled(id);
        return;
    }
  }

  #settle(): void {
    this.#tellWorkers();
    const wakeAt = this.#pool.settle();
    this.#workerProcesses.forgetOldOomKills(this.#clock.now());
    const { silence } = this.#pool.desired.limits;
    this.#clock.wake(wakeAt, this.#pool.roster.length === 0 ? undefined : silence / 4);
    const { desired, roster } = this.#pool;
    const hasSuccessor = this.#upgrade.successorPid !== undefined;
    this.#service.settled({ desired, roster, reading: this.#reload.isReading, hasSuccessor });
    if (desired.stop !== undefined && this.#pool.now >= desired.stop.beginAt) this.#sockets.release();
    if (desired.stop === undefined) this.#socketWatch.check(this.#clock.now());
    this.#reserve.review(this.#clock.now());
  }

  #tellWorkers(): void {
    const { target } = this.#pool.desired;
    if (target === this.#toldWorkers) return;
    const before = this.#toldWorkers;
    this.#toldWorkers = target;
    this.#hooks.tell(this.#currentHooks, "nworkersChanged", target, before);
  }

  #effects(): PoolEffects {
    return {
      spawn: (id, slot, generation) => this.#spawn(id, slot, generation),
      order: (id, order) => this.#workerProcesses.send(id, { type: order }),
      kill: (id, why) => this.#workerProcesses.kill(id, why),
      overdue: (id) => this.#arbiterLog.overdue(this.#workerProcesses.pidOf(id), this.#pool.find(id)),
      bootFailed: (id, failure) => {
        const worker = this.#pool.find(id);
        if (worker === undefined) return;
        this.#arbiterLog.bootFailed(
          this.#workerProcesses.pidOf(id),
          worker,
          failure,
          this.#pool.desired,
          this.#pool.now,
        );
      },
      unstarted: (failure) => this.#arbiterLog.unstarted(failure, this.#pool.now),
      established: (generation) => {
        this.#reload.established(generation);
        process.title = processTitle("arbiter", this.#current);
        if (this.#generations.placeholderFor(generation) === undefined) this.#files?.established(generation);
        // From now on it answers for the server beside the arbiter before it, on the same socket.
        if (this.#predecessor !== undefined) this.#endpoints.shareHealth();
        this.#report?.ready();
        if (this.#predecessor === undefined) this.#report?.close();
      },
      substitute: (failure) => {
        // Whoever waits to hear that it serves is told why not; and without a file nothing can be waited for.
        const waits = this.#files?.isIdle === false && this.#report === undefined;
        if (!waits || this.#generations.placeholderFor(this.#generations.newest) !== undefined)
          return undefined;
        this.#arbiterLog.broken(failure);
        return this.#reload.standIn(failure);
      },
      abandoned: (failure, established) => this.#reload.abandoned(failure, established),
      limits: (generation) => limitsOf(this.#generations.configOf(generation)),
    };
  }

  /** What it takes is loaded only by a server that is to watch. */
  async #watchFiles({ reloadEngine, reloadExtraFile = [], config }: Config): Promise<FileWatch> {
    const { FileWatch } = await import("./reload/file-watch.ts");
    return new FileWatch({
      folder: this.#folder,
      engine: reloadEngine,
      extraFiles: reloadExtraFile,
      ownFile: typeof config === "string" && isAbsolute(config) ? config : undefined,
      log: this.#log,
      changed: (changed) => this.#mailbox.post({ type: "files", changed }),
    });
  }

  #spawn(id: number, slot: number, generation: number): void {
    const config = this.#generations.configOf(generation);
    const launch = {
      id,
      slot,
      generation,
      sockets: this.#sockets.descriptorsOf(generation),
      config,
      hooks: this.#hooksOf(generation),
      identity: this.#identity,
      placeholderFor: this.#generations.placeholderFor(generation),
      folder: this.#generations.folderOf(generation),
      ...this.#logs.targets(config),
    };
    this.#recycling.watch(config);
    this.#workerProcesses.spawn(launch);
  }
}

function limitsOf(config: Config): Limits {
  return {
    boot: config.bootTimeout,
    graceful: config.gracefulTimeout,
    silence: config.timeout || Number.POSITIVE_INFINITY,
    crashes: config.crashLimit,
  };
}
