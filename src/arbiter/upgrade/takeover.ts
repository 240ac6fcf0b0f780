/**
 * How this arbiter becomes the server: at once, or, after an upgrade, step by step as its predecessor leaves. The
 * control socket, the health endpoint, the service that systemd knows and the pid file change hands in that order.
 */
import type { ControlEndpoints } from "../control/control-endpoints.ts";
import type { Service } from "../control/service.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { Scoreboard } from "../stats/scoreboard.ts";
import type { BootReport } from "./boot-report.ts";
import type { Predecessor, PredecessorStep } from "./handover.ts";
import type { ServerPidFile } from "./server-pid-file.ts";

export interface TakeoverDependencies {
  readonly predecessor: Predecessor | undefined;
  readonly bootReport: BootReport | undefined;
  readonly endpoints: ControlEndpoints;
  readonly service: Service;
  readonly pidFile: ServerPidFile;
  readonly arbiterLog: ArbiterLog;
  readonly board: Pick<Scoreboard, "otherGone">;
  /** Posts a step of the predecessor to the mailbox, which calls `handle`. */
  post(step: PredecessorStep): void;
  /** Makes the loop run once. */
  turn(): void;
}

export class Takeover {
  readonly #dependencies: TakeoverDependencies;

  constructor(dependencies: TakeoverDependencies) {
    this.#dependencies = dependencies;
  }

  /** This arbiter boots its workers. */
  begin(): void {
    const { predecessor, bootReport, endpoints, post } = this.#dependencies;
    if (predecessor !== undefined) {
      predecessor.watch(bootReport, post);
      return;
    }
    endpoints.openControl();
    this.#beginService();
  }

  /** Every slot has a ready worker. */
  established(): void {
    const { predecessor, bootReport, endpoints } = this.#dependencies;
    // From now on both arbiters answer health checks, on the same socket.
    if (predecessor !== undefined) endpoints.shareHealth();
    bootReport?.ready();
    // The predecessor holds the other end of the pipe until it releases this arbiter.
    if (predecessor === undefined) bootReport?.close();
  }

  handle(step: PredecessorStep): void {
    const { predecessor, endpoints, pidFile, arbiterLog } = this.#dependencies;
    switch (step) {
      case "leaving":
        endpoints.takeOver();
        return;
      case "released":
        this.#beginService();
        return;
      case "gone":
        arbiterLog.predecessorGone(predecessor?.pid);
        pidFile.takeName();
        this.#dependencies.board.otherGone("predecessor");
        return;
    }
  }

  #beginService(): void {
    const { service, turn } = this.#dependencies;
    service.begin(turn);
  }
}
