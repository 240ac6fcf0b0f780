/** Which operation each signal requests; docs/signals.md describes them. */
import type { ErrorLog } from "../../log/error-log.ts";
import type { Terminal } from "../../system/terminal.ts";
import type { Signal } from "../event.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { Pool } from "../pool/pool.ts";
import type { Operations } from "./operations.ts";

export interface SignalDependencies {
  readonly operations: Operations;
  readonly pool: Pool;
  readonly terminal: Terminal;
  readonly log: ErrorLog;
  readonly arbiterLog: ArbiterLog;
  /** SIGHUP stops the server even while its terminal is open. */
  readonly stopsOnHangUp: boolean;
}

export class SignalOperations {
  readonly #dependencies: SignalDependencies;

  constructor(dependencies: SignalDependencies) {
    this.#dependencies = dependencies;
  }

  handle(signal: Signal): void {
    const { operations, terminal, log, arbiterLog } = this.#dependencies;
    // A resized window signals its foreground processes; SIGWINCH is a command only in the background.
    if (signal === "SIGWINCH" && terminal.isInUse) return;
    arbiterLog.signalled(signal);
    switch (signal) {
      case "SIGTERM":
        operations.stop("graceful");
        return;
      case "SIGINT":
      case "SIGQUIT":
        operations.stop("quick");
        return;
      case "SIGHUP":
        if (this.#isHangUp()) this.#hangUp();
        else operations.reload();
        return;
      case "SIGTTIN":
        operations.addWorker();
        return;
      case "SIGTTOU":
        operations.removeWorker();
        return;
      case "SIGWINCH":
        operations.removeAllWorkers();
        return;
      case "SIGUSR1":
        operations.reopenLogs();
        return;
      case "SIGUSR2":
        operations.upgrade().catch((error) => log.error("The upgrade failed", error));
        return;
    }
  }

  #isHangUp(): boolean {
    return this.#dependencies.stopsOnHangUp || this.#dependencies.terminal.isGone;
  }

  /** The shell and the kernel may both send SIGHUP; the second one must not hasten the stop. */
  #hangUp(): void {
    const { operations, pool, terminal, arbiterLog } = this.#dependencies;
    if (pool.desired.stop !== undefined) return;
    arbiterLog.hungUp(terminal.isGone);
    operations.stopServer("graceful");
  }
}
