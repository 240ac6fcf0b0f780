/** A worker's life on diagnostics channels of Node, for instrumentations: docs/monitoring.md describes them. */
import { channel } from "node:diagnostics_channel";

/** The message about a worker, published in its own process. */
export interface WorkerMessage {
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  /** With the exit only. */
  readonly exitCode?: number;
}

export type WorkerStage = "start" | "ready" | "drain" | "exit";

const CHANNELS = {
  start: channel("tsgun:worker:start"),
  ready: channel("tsgun:worker:ready"),
  drain: channel("tsgun:worker:drain"),
  exit: channel("tsgun:worker:exit"),
} as const satisfies Readonly<Record<WorkerStage, unknown>>;

export class WorkerChannels {
  readonly #worker: WorkerMessage;

  /** Publishes the exit as well, if JavaScript still runs then. */
  constructor({ slot, generation }: Pick<WorkerMessage, "slot" | "generation">) {
    this.#worker = { pid: process.pid, slot, generation };
    process.on("exit", (exitCode) => CHANNELS.exit.publish({ ...this.#worker, exitCode }));
  }

  publish(stage: Exclude<WorkerStage, "exit">): void {
    CHANNELS[stage].publish(this.#worker);
  }
}
