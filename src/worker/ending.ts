/** The end of a worker that has served: the requests finish, the app shuts down, the process exits. */
import { ExitCode } from "../errors.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { AppEnd } from "./app-end.ts";
import type { OwnEvents } from "./own-events.ts";
import type { Serving } from "./serving.ts";
import type { WorkerHooks } from "./worker-hooks.ts";

export interface EndingParts {
  readonly serving: Serving;
  readonly log: ErrorLog;
  readonly accessLog: AccessLog | undefined;
  readonly hooks: WorkerHooks | undefined;
  readonly events: Pick<OwnEvents<never>, "appListens">;
  readonly appEnd: AppEnd;
}

export class Ending {
  readonly #parts: EndingParts;
  #shutdown: Promise<void> | undefined;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** Breaks off the requests. May come before or during `run`, any number of times. */
  async cutShort(): Promise<void> {
    const { serving, log, hooks, appEnd } = this.#parts;
    await hooks?.runLogged("workerInt");
    serving.server.destroy();
    if (appEnd.giveUp())
      log.warning("The app has not ended since its signal listeners ran: the worker exits");
  }

  /**
   * Runs the rest of the worker's life. Call it once.
   * @param linger how long kept connections may still send a request, in milliseconds
   */
  async run(order: "drain" | "quit", linger: number): Promise<never> {
    const { serving, log, accessLog, hooks, events, appEnd } = this.#parts;
    const { server } = serving;
    const signal = order === "drain" ? "SIGTERM" : "SIGINT";
    // An app without a shutdown of its own ends as it would end under `kill`.
    const endsItself = !serving.hasShutdown && events.appListens(signal);
    if (order === "drain") {
      let early: (() => void) | undefined;
      if (serving.closesUpgraded) {
        early = () => {
          this.#shutDown().catch(() => {});
        };
      } else if (endsItself) early = () => appEnd.begin(signal);
      await server.drain(linger, early);
    }
    await this.#shutDown();
    await hooks?.runLogged("workerExit");
    server.logUnfinished();
    if (endsItself) await appEnd.wait(signal);
    await Promise.all([accessLog?.leaveSyslog(), log.close()]);
    process.exit(ExitCode.ok);
  }

  /** Runs once: later calls wait for the first. */
  #shutDown(): Promise<void> {
    this.#shutdown ??= this.#runShutdown();
    return this.#shutdown;
  }

  async #runShutdown(): Promise<void> {
    const { serving, log } = this.#parts;
    try {
      await serving.shutdown();
    } catch (error) {
      log.error("The app's shutdown failed", error);
    }
  }
}
