/**
 * The parts of the arbiter and how they are wired. A part reads the others when it is called, not when it is made, so they
 * may depend on each other; the order here matters only for what a constructor reads at once.
 */
import type { Configuration } from "../config/config.ts";
import { processName, shownApp } from "../config/process-title.ts";
import type { Config } from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";
import { tooManyWorkers } from "../config/worker-addresses.ts";
import type { Identity } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { workerCount } from "../system/cpu-limit.ts";
import { DescriptorReserve } from "../system/descriptor-reserve.ts";
import { Terminal } from "../system/terminal.ts";
import { stopYoungGeneration } from "../system/young-generation.ts";
import { ServiceNotifier } from "../systemd/notify.ts";
import { ControlCommands, type ServerDescription } from "./control/control-commands.ts";
import { ControlEndpoints } from "./control/control-endpoints.ts";
import { Operations } from "./control/operations.ts";
import { routeTable } from "./control/route-table.ts";
import { Service } from "./control/service.ts";
import { SignalOperations } from "./control/signals.ts";
import type { ArbiterEvent } from "./event.ts";
import type { Examinations } from "./examination/examinations.ts";
import { ArbiterLog } from "./logs/arbiter-log.ts";
import { type LoggedWorker, LogLines } from "./logs/log-lines.ts";
import type { Logs } from "./logs/logs.ts";
import { ServerEvents } from "./logs/server-events.ts";
import { Mailbox } from "./mailbox.ts";
import { firstBoot } from "./pool/desired.ts";
import { limitsOf } from "./pool/limits.ts";
import { Pool } from "./pool/pool.ts";
import { Recycling } from "./pool/recycling.ts";
import { WakingClock } from "./pool/waking-clock.ts";
import { poolEffects } from "./pool-effects.ts";
import { setUpProcess } from "./process-setup.ts";
import { BlackBox } from "./records/black-box.ts";
import { FileReload } from "./reload/file-reload.ts";
import { Generations } from "./reload/generations.ts";
import { Reload } from "./reload/reload.ts";
import { serverContext } from "./reload/server-context.ts";
import { ServerHooks } from "./reload/server-hooks.ts";
import { Listeners } from "./sockets/listeners.ts";
import { SlotSockets } from "./sockets/slot-sockets.ts";
import { SocketSource } from "./sockets/socket-source.ts";
import { SocketWatch } from "./sockets/socket-watch.ts";
import { makeStats, measured } from "./stats/make-stats.ts";
import type { Stats } from "./stats/stats.ts";
import { StatsdSwitch } from "./stats/statsd-switch.ts";
import { ServerCertificates } from "./tls/server-certificates.ts";
import type { BootReport } from "./upgrade/boot-report.ts";
import { Predecessor } from "./upgrade/handover.ts";
import type { Invocation } from "./upgrade/invocation.ts";
import { ServerPidFile } from "./upgrade/server-pid-file.ts";
import { Successor } from "./upgrade/successor.ts";
import { Takeover } from "./upgrade/takeover.ts";
import { Upgrade } from "./upgrade/upgrade.ts";
import { Preload } from "./workers/preload.ts";
import { WorkerQuestions } from "./workers/questions.ts";
import { WorkerMessages } from "./workers/worker-messages.ts";
import { WorkerProcesses } from "./workers/worker-processes.ts";

export interface ArbiterOptions {
  readonly configuration: Configuration;
  /** Reads the configuration again, for a reload. */
  readConfiguration(): Promise<Configuration>;
  /** Tells the process that waits for this arbiter that it serves, or why not. */
  readonly bootReport?: BootReport | undefined;
  /** SIGHUP stops the server, as it does other programs in a terminal. Default: only once the terminal has closed. */
  readonly stopsOnHangUp?: boolean;
}

export class Parts {
  /** The configuration at the start. Settings that a reload cannot change are read from it. */
  readonly startConfig: Config;
  readonly bootReport: BootReport | undefined;
  readonly mailbox = new Mailbox<ArbiterEvent>();
  readonly clock = new WakingClock(() => this.mailbox.post({ type: "tick" }));
  readonly terminal = new Terminal();
  readonly predecessor = Predecessor.fromEnvironment();
  readonly invocation: Invocation;
  readonly folder: string;
  readonly identity: Identity;
  readonly logs: Logs;
  readonly log: ErrorLog;
  readonly events = new ServerEvents();
  readonly logLines = new LogLines({
    workers: () => this.pool.roster.flatMap(({ id }) => this.#loggedWorker(id) ?? []),
    stderrSince: (id, since) => this.stats.board.stderrSince(id, since),
  });
  readonly arbiterLog: ArbiterLog;
  readonly pidFile: ServerPidFile;
  readonly descriptorReserve = new DescriptorReserve((warning) => this.log.warning(warning));
  readonly generations: Generations;
  readonly blackBox: BlackBox;
  readonly hooks: ServerHooks;
  readonly preload: Preload;
  readonly certificates: ServerCertificates;
  readonly pool: Pool;
  readonly workerProcesses: WorkerProcesses;
  readonly questions = new WorkerQuestions((id, number, question) =>
    this.workerProcesses.send(id, { type: "ask", number, question }),
  );
  readonly workerMessages: WorkerMessages;
  readonly recycling: Recycling;
  readonly listeners: Listeners;
  readonly socketSource: SocketSource;
  readonly slotSockets: SlotSockets;
  readonly socketWatch: SocketWatch;
  readonly reload: Reload;
  readonly fileReload: FileReload;
  readonly operations: Operations;
  readonly signals: SignalOperations;
  readonly commands: ControlCommands;
  readonly endpoints: ControlEndpoints;
  readonly service: Service;
  readonly upgrade: Upgrade;
  readonly stats: Stats;
  readonly measured = measured(this);
  readonly statsd: StatsdSwitch;
  readonly takeover: Takeover;
  #examinations: Examinations | undefined;

  /** @throws FatalError when the working folder, the user or the group does not exist, or a log cannot be written */
  constructor({ configuration, readConfiguration, bootReport, stopsOnHangUp = false }: ArbiterOptions) {
    const { config } = configuration;
    this.startConfig = config;
    this.bootReport = bootReport;
    const { invocation, folder, identity, logs } = setUpProcess(config);
    this.invocation = invocation;
    this.folder = folder;
    this.identity = identity;
    this.logs = logs;
    this.log = logs.errors;
    this.log.whenWritten((level, message, error) => this.logLines.logged(level, message, error));
    this.arbiterLog = new ArbiterLog(this.log, this.events);
    this.pidFile = new ServerPidFile(config.pid, this.predecessor?.pid, this.log);
    this.generations = new Generations(configuration, folder);
    this.blackBox = this.#makeBlackBox();
    this.hooks = new ServerHooks(serverContext(this), () => this.generations.currentConfig.bootTimeout);
    this.preload = new Preload(folder, identity, this.log);
    this.certificates = new ServerCertificates(folder, this.log);

    const wanted = firstBoot(workerCount(config.workers), config.reloadSurge, limitsOf(config));
    this.pool = new Pool(wanted, poolEffects(this), () => this.clock.now());
    this.stats = makeStats(this);
    this.statsd = new StatsdSwitch({
      stats: this.stats,
      log: this.log,
      pool: () => this.pool,
      config: () => this.generations.currentConfig,
      isLeaving: () => this.upgrade.isLeaving,
    });
    this.workerProcesses = this.#makeWorkerProcesses();
    this.workerMessages = new WorkerMessages(this);
    this.recycling = this.#makeRecycling();

    this.listeners = new Listeners({
      hasPredecessor: () => this.predecessor?.isServing === true,
      hasSuccessor: () => this.upgrade.hasSuccessor,
    });
    this.socketSource = new SocketSource(config, identity);
    this.slotSockets = new SlotSockets({
      addresses: config.workerBind,
      listeners: this.listeners,
      source: this.socketSource,
    });
    this.socketWatch = new SocketWatch(this.listeners, this.arbiterLog);

    this.operations = new Operations(this);
    const { operations, pool, terminal, log, arbiterLog } = this;
    this.signals = new SignalOperations({ operations, pool, terminal, log, arbiterLog, stopsOnHangUp });
    this.commands = this.#makeCommands();
    this.endpoints = new ControlEndpoints(
      config,
      () => routeTable(this),
      this.log,
      this.predecessor?.endpoints,
    );
    const onFailure = (error: Error): void => this.log.warning(`Cannot notify systemd: ${error.message}`);
    this.service = new Service(new ServiceNotifier({ onFailure }));

    this.reload = this.#makeReload(readConfiguration);
    this.fileReload = new FileReload({
      config,
      folder,
      log: this.log,
      changed: (changed) => this.mailbox.post({ type: "files", changed }),
    });
    this.upgrade = this.#makeUpgrade();
    this.takeover = this.#makeTakeover();
  }

  /** Keeps the last lines of a worker whose process has ended. Call before its page is freed. */
  keepLastLines(id: number): void {
    const worker = this.#loggedWorker(id);
    if (worker !== undefined) this.logLines.ended(worker);
  }

  #loggedWorker(id: number): LoggedWorker | undefined {
    const record = this.pool.find(id);
    const pid = this.workerProcesses.pidOf(id);
    return record && pid !== undefined ? { id, pid, slot: record.slot } : undefined;
  }

  #makeWorkerProcesses(): WorkerProcesses {
    const { generations, hooks, logs, startConfig } = this;
    return new WorkerProcesses({
      arbiterLog: this.arbiterLog,
      pool: () => this.pool,
      accessLogOf: (pid, { slot, generation }) =>
        logs.accessLogOf({ pid, slot }, generations.find(generation) ?? startConfig),
      socketsOf: (worker) =>
        this.listeners.listenersOf(worker).filter((listener) => this.slotSockets.isWanted(listener)),
      bindFor: (slot) => this.slotSockets.prepare(slot),
      beforeStart: (worker) => hooks.run(generations.hooksOf(worker.generation), "preFork", worker),
      stats: this.stats,
      blackBox: this.blackBox,
      ended: (worker) => hooks.notify(generations.hooksOf(worker.generation), "childExit", worker),
      post: (event) => this.mailbox.post(event),
    });
  }

  #makeBlackBox(): BlackBox {
    return new BlackBox({
      folder: this.startConfig.recordDir,
      reportOwner: this.identity.uid,
      log: this.log,
      server: (generation) => {
        const { name, version, app, folder } = this.#description();
        const release = this.generations.folderOf(generation);
        return { name, app, folder, release, tsgun: version, node: process.version, arbiter: process.pid };
      },
    });
  }

  #makeRecycling(): Recycling {
    return new Recycling({
      pool: this.pool,
      log: this.log,
      pidOf: (id) => this.workerProcesses.pidOf(id),
      configOf: (generation) => this.generations.find(generation),
      post: (use) => this.mailbox.post({ type: "memory", use }),
    });
  }

  #makeCommands(): ControlCommands {
    const { operations } = this;
    return new ControlCommands({
      pool: this.pool,
      generations: this.generations,
      minReady: this.startConfig.minReady,
      tooManyWorkers: (workers) => tooManyWorkers(this.startConfig.workerBind, workers),
      addressOf: (slot) => this.slotSockets.urlOf(slot),
      post: (command) => this.mailbox.post({ type: "command", command }),
      pidOf: (id) => this.workerProcesses.pidOf(id),
      reload: () => operations.reload(),
      upgrade: () => operations.upgrade(),
      reopen: () => operations.reopenLogs(),
      stop: (mode) => operations.stopServer(mode),
      isSuccessorReady: () => this.upgrade.isSuccessorReady,
      leavingFor: () => (this.upgrade.isLeaving ? this.upgrade.successorPid : undefined),
      lostSockets: () => this.listeners.lost(),
      describe: () => this.#description(),
      examinations: async () => {
        const { Examinations } = await import("./examination/examinations.ts");
        this.#examinations ??= new Examinations(this.pool, this.workerProcesses, this.mailbox);
        return this.#examinations;
      },
    });
  }

  #description(): ServerDescription {
    const { currentConfig } = this.generations;
    return {
      name: processName(currentConfig),
      version: packageVersion(),
      app: shownApp(currentConfig.app ?? ""),
      folder: this.folder,
      startedIn: this.invocation.folder,
      config: currentConfig.config || null,
      listening: this.listeners.urls,
    };
  }

  #makeReload(readConfiguration: () => Promise<Configuration>): Reload {
    return new Reload({
      pool: this.pool,
      generations: this.generations,
      commands: this.commands,
      arbiterLog: this.arbiterLog,
      stats: this.stats,
      logs: this.logs,
      sockets: this.listeners,
      readConfiguration: async () => {
        const configuration = await readConfiguration();
        // On Node 20 the thread that reads modules has undone it.
        stopYoungGeneration();
        await this.hooks.runToEnd(configuration.hooks, "onReload");
        const complete = await this.certificates.complete(configuration, this.generations.currentTls);
        await this.endpoints.renewCertificate();
        return complete;
      },
      preflight: async (config) => {
        this.slotSockets.check(workerCount(config.workers));
        await this.preload.check(config);
      },
      rebindSockets: () => this.listeners.renew((lost) => this.socketSource.bindAgain(lost)),
      post: (event) => this.mailbox.post({ type: "reload", event }),
    });
  }

  #makeUpgrade(): Upgrade {
    const { generations, endpoints, reload } = this;
    return new Upgrade({
      pool: this.pool,
      log: this.log,
      report: (message, isProblem) => this.events.upgrade(message, isProblem),
      invocation: this.invocation,
      listeners: () => this.listeners.listeners,
      config: () => generations.currentConfig,
      predecessorPid: () => (this.predecessor?.isAlive ? this.predecessor.pid : undefined),
      start: (launch) => new Successor(launch, (event) => this.mailbox.post({ type: "successor", event })),
      cleanUpAfterSuccessor: (pid) => this.pidFile.clearUpAfter(pid),
      reload: () => reload.request(),
      withdrawReloads: (why) => reload.withdraw(why),
      beforeStart: () => this.hooks.runToEnd(generations.currentHooks, "preExec"),
      endpoints: () => endpoints.sockets,
      stats: this.stats,
      endpointsTakenOver: () => endpoints.waitUntilTakenOver(),
      reclaimEndpoints: () => endpoints.takeOver(),
    });
  }

  #makeTakeover(): Takeover {
    return new Takeover({
      predecessor: this.predecessor,
      bootReport: this.bootReport,
      endpoints: this.endpoints,
      service: this.service,
      pidFile: this.pidFile,
      arbiterLog: this.arbiterLog,
      board: this.stats.board,
      post: (step) => this.mailbox.post({ type: "predecessor", step }),
      turn: () => this.mailbox.post({ type: "tick" }),
    });
  }
}
