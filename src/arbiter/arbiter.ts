/**
 * The arbiter: binds, keeps a pool of workers, and never touches a connection. Its life is one loop:
 * whatever happens comes as an event out of one mailbox and changes the pool, and then the pool settles.
 */
import { resolve } from "node:path";
import type { Config } from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";
import type { Outcome } from "../control/api.ts";
import { ExitCode } from "../errors.ts";
import type { FromWorker, Identity } from "../ipc/messages.ts";
import { ErrorLog } from "../log/error-log.ts";
import { ServiceNotifier } from "../systemd/notify.ts";
import { excessConnections } from "./balance.ts";
import { type Listener, removeSocketFile } from "./bind.ts";
import type { BootReport } from "./boot-report.ts";
import { ControlDesk, type DeskOffice } from "./control-desk.ts";
import { type ControlDoors, openControl, openHealth } from "./control-doors.ts";
import { workerCount } from "./cpu-limit.ts";
import { canReload, firstBoot, type Limits } from "./desired.ts";
import { type ArbiterEvent, describeEnding, type Ending, SIGNALS, type Signal } from "./event.ts";
import { OomKills } from "./exit-name.ts";
import { Predecessor, type PredecessorStep } from "./handover.ts";
import { giveFile, socketOwnership, workerIdentity } from "./identity.ts";
import { currentInvocation } from "./invocation.ts";
import { Mailbox } from "./mailbox.ts";
import { Narrator } from "./narrator.ts";
import { PidFile } from "./pid-file.ts";
import { Pool, type PoolEffects } from "./pool.ts";
import { processState } from "./process-state.ts";
import { Reaper } from "./reaper.ts";
import type { KillReason } from "./reconcile.ts";
import { Recycling } from "./recycling.ts";
import { Service } from "./service.ts";
import { arbiterTitle, enterFolder, keepFixedSettings, openLogFile } from "./setup.ts";
import { openSockets } from "./sockets.ts";
import { Upgrade, type UpgradeOffice } from "./upgrade.ts";
import { WakingClock } from "./waking-clock.ts";
import { WorkerHandle } from "./worker-handle.ts";

export interface ArbiterOptions {
  readonly config: Config;
  /** Reads the configuration again, for a reload. Whatever it throws leaves everything as it is. */
  readConfig(): Config | Promise<Config>;
  /** Where somebody waits to hear that this arbiter serves, or why not. */
  readonly report?: BootReport | undefined;
}

export class Arbiter {
  readonly #mailbox = new Mailbox<ArbiterEvent>();
  readonly #oomKills = new OomKills();
  readonly #clock = new WakingClock(() => this.#mailbox.post({ type: "tick" }));
  readonly #pool: Pool;
  readonly #handles = new Map<number, WorkerHandle>();
  /** The configuration that the workers of a generation are given. */
  readonly #configs = new Map<number, Config>();
  readonly #readConfig: ArbiterOptions["readConfig"];
  readonly #folder: string;
  readonly #logFile: string | undefined;
  readonly #identity: Identity;
  readonly #log: ErrorLog;
  readonly #narrator: Narrator;
  readonly #desk: ControlDesk;
  readonly #recycling: Recycling;
  /** The configuration at the start: what a reload cannot change stands here. */
  readonly #fixed: Config;
  readonly #report: BootReport | undefined;
  readonly #predecessor = Predecessor.take();
  readonly #invocation = currentInvocation();
  readonly #upgrade: Upgrade;
  readonly #service: Service;
  #pidFile: PidFile | undefined;
  #doors: ControlDoors[] = [];
  #listeners: readonly Listener[] = [];
  /** The newest generation; each reload makes one. */
  #generation = 1;
  /** The configuration is being read for a reload. */
  #reading = false;

  /** @throws FatalError when the folder to work in, the user or the group is not there. */
  constructor(options: ArbiterOptions) {
    const { config } = options;
    this.#readConfig = options.readConfig;
    this.#report = options.report;
    this.#log = new ErrorLog({ level: config.logLevel });
    this.#narrator = new Narrator(this.#log);
    this.#folder = enterFolder(config.chdir);
    this.#identity = workerIdentity(config);
    if (config.umask !== undefined) process.umask(config.umask);
    this.#logFile = openLogFile(config.errorLogfile, this.#folder);
    if (this.#logFile !== undefined) giveFile(this.#logFile, this.#identity);
    this.#log.file = this.#logFile;
    process.title = arbiterTitle(config);
    this.#configs.set(this.#generation, config);
    this.#fixed = config;
    const wanted = firstBoot(workerCount(config.workers), config.reloadSurge, limitsOf(config));
    this.#pool = new Pool(wanted, this.#effects(), () => this.#clock.now());
    this.#desk = new ControlDesk(this.#office());
    this.#upgrade = new Upgrade(this.#upgradeOffice());
    const onFailure = (error: Error): void => this.#log.warning(`systemd cannot be told: ${error.message}`);
    this.#service = new Service(new ServiceNotifier({ onFailure }));
    this.#recycling = new Recycling({
      pool: this.#pool,
      log: this.#log,
      pidOf: (id) => this.#pidOf(id),
      configOf: (generation) => this.#configs.get(generation),
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
    const { bind } = this.#fixed;
    this.#pidFile = this.#claimPidFile();
    try {
      this.#listeners =
        this.#predecessor?.listeners ??
        (await openSockets(bind, socketOwnership(this.#fixed, this.#identity)));
      if (this.#predecessor === undefined) await this.#openHealth();
      // The workers are started before the first line is logged: they boot while the log is loaded.
      this.#settle();
      this.#narrator.started(this.#listeners);
      this.#enterService();
      new Reaper({ onFailure: (message) => this.#log.warning(message) }).start();
      while (this.#pool.exitCode === undefined) {
        for (const event of await this.#mailbox.take()) this.#take(event);
        this.#upgrade.advance();
        this.#settle();
        this.#desk.checkWishes();
      }
      await this.#upgrade.finish((pid) => this.#service.handOver(pid));
      this.#narrator.stopped(this.#pool.desired.stop);
      await this.#service.close();
      const { reason = "it was stopped while it was booting" } = this.#pool.desired.stop ?? {};
      this.#report?.failed(reason, this.#pool.exitCode || ExitCode.failure);
      return this.#pool.exitCode;
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#clock.stop();
    this.#recycling.stop();
    this.#mailbox.close();
    this.#closeDoors();
    // Another arbiter may serve the same sockets, before or after this one.
    const shared = this.#predecessor?.isServing === true || this.#upgrade.isSucceeded;
    if (!shared) for (const listener of this.#listeners) removeSocketFile(listener);
    this.#pidFile?.remove();
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
    this.#openControl();
    this.#beginService();
  }

  #beginService(): void {
    this.#service.begin(() => this.#mailbox.post({ type: "tick" }));
  }

  #takePredecessor(step: PredecessorStep): void {
    switch (step) {
      case "leaving":
        this.#openDoors();
        return;
      case "released":
        this.#beginService();
        return;
      case "gone":
        this.#narrator.predecessorGone(this.#predecessor?.pid);
        this.#renamePidFile();
        return;
    }
  }

  #renamePidFile(): void {
    try {
      this.#pidFile?.rename(resolve(this.#fixed.pid as string));
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
        this.#takeExit(event.id, event.ending);
        return;
      case "memory":
        this.#recycling.weighed(event.use);
        return;
      case "stall":
        this.#narrator.stall(event.report);
        return;
      case "command":
        this.#desk.take(event.command);
        return;
      case "successor":
        this.#upgrade.take(event.event);
        return;
      case "predecessor":
        this.#takePredecessor(event.step);
        return;
      case "config":
        this.#beginReload(event.config);
        return;
      case "config-error":
        this.#reading = false;
        this.#narrator.reloadFailed(this.#pool.desired.established, event.error.message);
        if (!this.#pool.desired.reloadAgain) {
          this.#desk.reloadFailed(this.#generation + 1, event.error, this.#pool.desired.established);
        }
        this.#reloadOnceMore();
        return;
      case "tick":
        return;
    }
  }

  #takeSignal(signal: Signal): void {
    if (signal === "SIGWINCH" && hasTerminal()) return;
    this.#narrator.signalled(signal);
    switch (signal) {
      case "SIGTERM":
        this.#stopGracefully();
        return;
      case "SIGINT":
      case "SIGQUIT":
        this.#pool.stopQuickly();
        return;
      case "SIGHUP":
        this.#askReload();
        return;
      case "SIGTTIN":
        this.#pool.scale(this.#pool.desired.target + 1);
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
        void this.#upgrade.begin();
        return;
    }
  }

  #stopGracefully(): void {
    const { drainDelay } = this.#fixed;
    if (drainDelay > 0 && this.#pool.desired.stop === undefined) this.#narrator.drainDelayed(drainDelay);
    this.#pool.stopGracefully(drainDelay);
  }

  #reopenLogs(): Outcome {
    if (this.#logFile === undefined)
      return { ok: true, message: "there is no log file: the log is the standard error" };
    this.#log.reopen();
    try {
      giveFile(this.#logFile, this.#identity);
    } catch (error) {
      this.#log.error((error as Error).message);
    }
    for (const handle of this.#handles.values()) handle.send({ type: "reopen" });
    return { ok: true, message: `reopened ${this.#logFile}` };
  }

  /** @throws FatalError when the health endpoint cannot be bound. */
  async #openHealth(): Promise<void> {
    const { adminBind } = this.#fixed;
    if (adminBind !== undefined) this.#doors.push(await openHealth(adminBind, this.#desk, this.#log));
  }

  #openControl(): void {
    const { controlSocket } = this.#fixed;
    if (controlSocket === false) return;
    void openControl(controlSocket, this.#desk, this.#log).then((door) => this.#doors.push(door));
  }

  /** Takes over what another arbiter was asked through. */
  #openDoors(): void {
    this.#openHealth().catch((error: Error) => this.#log.error(error.message));
    this.#openControl();
  }

  #closeDoors(): void {
    for (const door of this.#doors) door.close();
    this.#doors = [];
  }

  #upgradeOffice(): UpgradeOffice {
    return {
      pool: this.#pool,
      log: this.#log,
      invocation: this.#invocation,
      listeners: () => this.#listeners,
      config: () => this.#configOf(this.#pool.desired.established || this.#generation),
      predecessorPid: () => (this.#predecessor?.isAlive ? this.#predecessor.pid : undefined),
      post: (event) => this.#mailbox.post({ type: "successor", event }),
      successorGone: (pid) => PidFile.clearUp(`${this.#pidFile?.path}.2`, pid),
      leaveDoors: () => this.#closeDoors(),
      openDoors: () => this.#openDoors(),
    };
  }

  #office(): DeskOffice {
    const arbiter = this;
    return {
      pool: this.#pool,
      minReady: this.#fixed.minReady,
      get generation() {
        return arbiter.#generation;
      },
      post: (command) => this.#mailbox.post({ type: "command", command }),
      pidOf: (id) => this.#pidOf(id),
      reload: () => this.#askReload(),
      upgrade: () => this.#upgrade.begin(),
      reopen: () => this.#reopenLogs(),
      stop: (mode) => (mode === "quick" ? this.#pool.stopQuickly() : this.#stopGracefully()),
      describe: () => {
        const { app = "", name = app } = this.#fixed;
        return {
          name,
          version: packageVersion(),
          app,
          listening: this.#listeners.map(({ url }) => url),
        };
      },
    };
  }

  #takeMessage(id: number, message: FromWorker): void {
    switch (message.type) {
      case "booting":
        this.#assign(id);
        return;
      case "ready": {
        const { candidate } = this.#pool.desired;
        const first = candidate?.proven === false && this.#pool.find(id)?.generation === candidate.generation;
        if (first) this.#narrator.serving(message.serving);
        this.#pool.workerReady(id);
        return;
      }
      case "failed":
        this.#pool.workerFailed(id, message);
        return;
      case "beat":
        this.#pool.workerBeat(id, message);
        this.#evenOut(id);
        return;
      case "due":
        this.#recycling.due(id, message);
        return;
      case "draining":
        this.#pool.workerStopping(id);
        return;
    }
  }

  /** A worker that holds far more connections than the others is asked to let some go. */
  #evenOut(id: number): void {
    const connections = excessConnections(this.#pool.roster, id);
    if (connections > 0) this.#handles.get(id)?.send({ type: "shed", connections });
  }

  /** A worker's program runs: it is told what to be, or to go if it is not wanted any more. */
  #assign(id: number): void {
    const handle = this.#handles.get(id);
    this.#narrator.booting(handle?.pid, this.#pool.now);
    if (this.#pool.find(id)?.state === "booting") handle?.assign();
    else handle?.send({ type: "quit" });
  }

  #takeExit(id: number, ending: Ending): void {
    const worker = this.#pool.find(id);
    if (worker === undefined) return;
    // What was killed by the arbiter was not killed by the kernel.
    const how = describeEnding(ending, worker.ordered === "kill" ? undefined : this.#oomKills);
    this.#pool.workerGone(id, how);
    const ended = { pid: this.#pidOf(id), record: worker, ending, how };
    this.#narrator.exited(ended, this.#pool.desired, this.#pool.now);
    this.#handles.delete(id);
  }

  #askReload(): void {
    if (this.#pool.desired.stop !== undefined) return;
    if (this.#reading || !canReload(this.#pool.desired)) {
      this.#pool.reloadAgain(true);
      return;
    }
    this.#reading = true;
    Promise.resolve()
      .then(() => this.#readConfig())
      .then(
        (config) => this.#mailbox.post({ type: "config", config }),
        (error) => this.#mailbox.post({ type: "config-error", error }),
      );
  }

  #beginReload(read: Config): void {
    this.#reading = false;
    const { established, reloadAgain, stop } = this.#pool.desired;
    if (stop !== undefined) return;
    // What was read before the newest wish may be old.
    if (reloadAgain) {
      this.#reloadOnceMore();
      return;
    }
    const config = keepFixedSettings(read, this.#configOf(established), this.#log);
    this.#generation += 1;
    this.#configs.set(this.#generation, config);
    this.#log.level = config.logLevel;
    this.#narrator.reloading(this.#generation);
    this.#pool.reload(this.#generation, workerCount(config.workers));
  }

  /** The reload that was asked for while another was under way. */
  #reloadOnceMore(): void {
    if (!this.#pool.desired.reloadAgain) return;
    this.#pool.reloadAgain(false);
    this.#askReload();
  }

  #settle(): void {
    const wakeAt = this.#pool.settle();
    this.#oomKills.review(this.#clock.now());
    const { silence } = this.#pool.desired.limits;
    this.#clock.wake(wakeAt, this.#pool.roster.length === 0 ? undefined : silence / 4);
    const { desired, roster } = this.#pool;
    const succeeded = this.#upgrade.successorPid !== undefined;
    this.#service.settled({ desired, roster, reading: this.#reading, succeeded });
  }

  #effects(): PoolEffects {
    return {
      spawn: (id, slot, generation) => this.#spawn(id, slot, generation),
      order: (id, order) => this.#handles.get(id)?.send({ type: order }),
      kill: (id, why) => this.#kill(id, why),
      bootFailed: (id, failure) => {
        const worker = this.#pool.find(id);
        if (worker === undefined) return;
        this.#narrator.bootFailed(this.#pidOf(id), worker, failure, this.#pool.desired, this.#pool.now);
      },
      established: (generation) => {
        for (const other of this.#configs.keys()) if (other !== generation) this.#configs.delete(other);
        this.#narrator.established(generation, this.#pool.desired.target);
        this.#desk.reloadDone(generation);
        this.#report?.ready();
        if (this.#predecessor === undefined) this.#report?.close();
        this.#reloadOnceMore();
      },
      abandoned: (failure, established) => {
        this.#narrator.abandoned(failure, established);
        this.#desk.reloadFailed(this.#generation, failure, established);
        if (established !== 0) this.#log.level = this.#configOf(established).logLevel;
        this.#reloadOnceMore();
      },
      limits: (generation) => limitsOf(this.#configOf(generation)),
    };
  }

  #spawn(id: number, slot: number, generation: number): void {
    const launch = {
      id,
      slot,
      generation,
      sockets: this.#listeners.map((listener) => listener.descriptor),
      config: this.#configOf(generation),
      identity: this.#identity,
      folder: this.#folder,
      logFile: this.#logFile,
    };
    this.#recycling.watch(launch.config);
    this.#handles.set(id, new WorkerHandle(launch, (event) => this.#mailbox.post(event)));
  }

  #kill(id: number, why: KillReason): void {
    const pid = this.#pidOf(id);
    const worker = this.#pool.find(id);
    if (why !== "silence") this.#narrator.killing(pid, why, this.#pool.desired.limits);
    else if (pid !== undefined && worker !== undefined) {
      this.#narrator.silent(pid, worker, processState(pid));
    }
    this.#handles.get(id)?.kill();
  }

  #configOf(generation: number): Config {
    const config = this.#configs.get(generation);
    if (config === undefined) throw new Error(`no configuration is kept for generation ${generation}`);
    return config;
  }

  #pidOf(id: number): number | undefined {
    return this.#handles.get(id)?.pid;
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

/** A window that changes its size signals its foreground processes; only in the background it is a command. */
function hasTerminal(): boolean {
  return process.stdin.isTTY === true || process.stdout.isTTY === true || process.stderr.isTTY === true;
}
