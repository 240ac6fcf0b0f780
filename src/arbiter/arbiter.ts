/**
 * The arbiter: binds the sockets, keeps a pool of workers, and never touches a connection. Its life is one loop:
 * everything that happens is an event from one mailbox; events change the pool, and then the pool settles.
 */
import { ExitCode } from "../errors.ts";
import { surviveTerminalHangUp } from "../log/own-output.ts";
import { Reaper } from "../system/reaper.ts";
import { stopYoungGeneration } from "../system/young-generation.ts";
import { type ArbiterEvent, SIGNALS } from "./event.ts";
import { type ArbiterOptions, Parts } from "./parts.ts";
import { outliveStrayErrors } from "./stray-errors.ts";

export class Arbiter {
  readonly #parts: Parts;

  /** @throws FatalError when the working folder, the user or the group does not exist, or a log cannot be written */
  constructor(options: ArbiterOptions) {
    this.#parts = new Parts(options);
  }

  /**
   * Serves until it is told to stop; returns the exit code.
   * @throws FatalError when an address cannot be bound, or the pid file is another server's
   */
  async run(): Promise<ExitCode> {
    const { hooks, generations, pidFile, log } = this.#parts;
    this.#listen();
    await hooks.runToEnd(generations.currentHooks, "onStarting");
    pidFile.claim();
    try {
      await this.#start();
      const exitCode = await this.#loop();
      await this.#stop(exitCode);
      return exitCode;
    } finally {
      await this.#leave();
      await hooks.runExit(generations.currentHooks);
      await log.close();
    }
  }

  /** Signals only post to the mailbox. Nothing that happens to the terminal or in a hook ends the process. */
  #listen(): void {
    const { mailbox, log } = this.#parts;
    for (const signal of SIGNALS) {
      process.on(signal, () => mailbox.post({ type: "signal", signal }));
    }
    outliveStrayErrors(log);
    surviveTerminalHangUp();
  }

  async #start(): Promise<void> {
    const { startConfig, preload, predecessor, listeners, socketSource, endpoints } = this.#parts;
    const { fileReload, hooks, generations, takeover, arbiterLog, log, slotSockets, pool } = this.#parts;
    generations.secureFirst(await this.#parts.certificates.readFirst(startConfig));
    slotSockets.check(pool.desired.target);
    const isInterrupted = await preload.checkBeforeStart(startConfig);
    const handedOver = predecessor?.listeners;
    listeners.hold(await socketSource.open(handedOver), handedOver);
    await slotSockets.open(pool.desired.target);
    await endpoints.prepareHealth();
    await fileReload.start();
    await hooks.runToEnd(generations.currentHooks, "whenReady");
    // Start the workers before logging the first line: they boot while this process loads the rest.
    if (!isInterrupted) this.#settle();
    arbiterLog.started(listeners.listeners, startConfig);
    takeover.begin();
    stopYoungGeneration();
    new Reaper({ onFailure: (message) => log.warning(message) }).start();
  }

  /** Runs until the last worker of a stopping server is gone. */
  async #loop(): Promise<ExitCode> {
    const { mailbox, pool, upgrade, commands, recycling, stats, statsd } = this.#parts;
    while (pool.exitCode === undefined) {
      const events = await mailbox.receive();
      const begunAt = performance.now();
      for (const event of events) this.#handle(event);
      upgrade.advance();
      recycling.review();
      this.#settle();
      commands.checkPending();
      stats.review();
      statsd.review();
      stats.turns.add(performance.now() - begunAt);
    }
    return pool.exitCode;
  }

  #handle(event: ArbiterEvent): void {
    const parts = this.#parts;
    switch (event.type) {
      case "signal":
        parts.signals.handle(event.signal);
        return;
      case "message":
        parts.workerMessages.handle(event.id, event.message);
        return;
      case "exit":
        parts.questions.gone(event.id);
        parts.keepLastLines(event.id);
        parts.workerProcesses.handleExit(event.id, event.ending);
        return;
      case "unstarted":
        parts.workerProcesses.handleStartFailure(event.id, event.error);
        return;
      case "stall":
        parts.workerProcesses.handleStall(event.report);
        return;
      case "examined":
        parts.pool.workerExamined(event.id, event.milliseconds);
        return;
      case "memory":
        parts.recycling.checkMemory(event.use);
        return;
      case "command":
        parts.commands.handle(event.command);
        return;
      case "reload":
        parts.reload.handle(event.event);
        return;
      case "files":
        parts.operations.reloadFor(event.changed);
        return;
      case "successor":
        parts.upgrade.handle(event.event);
        return;
      case "predecessor":
        parts.takeover.handle(event.step);
        return;
      case "tick":
        return;
    }
  }

  /** Carries out what the pool wants now, and runs the periodic checks. */
  #settle(): void {
    const { pool, clock, hooks, generations, workerProcesses, reload, upgrade, service } = this.#parts;
    const keys = this.#parts.certificates.newTicketKeys();
    if (keys !== undefined) workerProcesses.broadcast({ type: "ticket-keys", keys });
    hooks.notifyTarget(generations.currentHooks, pool.desired.target);
    const settleAt = pool.settle();
    const balanceAt = workerProcesses.balance();
    workerProcesses.forgetOldOomKills(clock.now());
    const { desired, roster } = pool;
    clock.wake(earliest(settleAt, balanceAt), roster.length === 0 ? undefined : desired.limits.silence / 4);
    const hasSuccessor = upgrade.successorPid !== undefined;
    service.settled({ desired, roster, reading: reload.isReading, hasSuccessor });
    this.#parts.events.settled(desired.target, desired.stop !== undefined, upgrade.isLeaving);
    this.#reviewSockets();
    this.#parts.descriptorReserve.review(clock.now());
  }

  #reviewSockets(): void {
    const { pool, clock, listeners, socketWatch, slotSockets } = this.#parts;
    const { stop } = pool.desired;
    if (stop === undefined) {
      slotSockets.review(pool.desired, pool.roster);
      socketWatch.check(clock.now());
    } else if (pool.now >= stop.beginAt) listeners.release();
  }

  /** No worker is left. Until the process ends, operators know this pid as the server's: requests are passed to a successor. */
  async #stop(exitCode: ExitCode): Promise<void> {
    const { mailbox, pool, upgrade, service, arbiterLog, bootReport } = this.#parts;
    mailbox.divert((event) => this.#passOn(event));
    await upgrade.finish((pid) => service.handOver(pid));
    arbiterLog.stopped(pool.desired.stop);
    await service.close();
    const { reason = "it was stopped while it was booting" } = pool.desired.stop ?? {};
    bootReport?.failed(reason, exitCode || ExitCode.failure);
  }

  #passOn(event: ArbiterEvent): void {
    const { commands, upgrade } = this.#parts;
    if (event.type === "command") commands.handle(event.command);
    if (event.type !== "signal") return;
    if (event.signal === "SIGHUP") upgrade.forwardReload();
    if (event.signal === "SIGUSR1") upgrade.forwardReopen();
  }

  /** Releases everything that would outlive the process or keep it alive, and lets the endpoints send their last responses. */
  async #leave(): Promise<void> {
    const { clock, recycling, fileReload, mailbox, endpoints, listeners, pidFile, blackBox, statsd } =
      this.#parts;
    const { upgrade, predecessor } = this.#parts;
    const isServing = predecessor?.isServing === true;
    clock.stop();
    recycling.stop();
    fileReload.close();
    mailbox.close();
    const lastResponses = endpoints.close(
      upgrade.hasSuccessor || (isServing && endpoints.hasInheritedHealth),
    );
    listeners.removeFiles();
    pidFile.remove();
    await Promise.all([lastResponses, statsd.close()]);
    await blackBox.close();
  }
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
