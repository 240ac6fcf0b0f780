/** Reports of a worker and its watchdog that may tell why it ends. */
import type { LastWords } from "../../ipc/last-words.ts";
import type { StallReport } from "../../ipc/stall-report.ts";

export class LastSigns {
  #stall: StallReport | undefined;
  #words: LastWords | undefined;
  /** Its process was stopped (SIGSTOP) when it was killed. */
  wasStopped = false;

  /** The last report of a blocked event loop; undefined if it turns. */
  get stall(): StallReport | undefined {
    return this.#stall;
  }

  get words(): LastWords | undefined {
    return this.#words;
  }

  handleStall(report: StallReport): void {
    if (report.kind === "recovered") this.#stall = undefined;
    // A native call that has returned is reported with its stack, but without the children it waited for.
    else if (report.kind === "returned" && report.children.length === 0)
      this.#stall = { ...report, children: this.#stall?.children ?? [] };
    else this.#stall = report;
  }

  /** The first words count: what follows is a consequence. */
  handleWords(words: LastWords): void {
    this.#words ??= words;
  }
}
