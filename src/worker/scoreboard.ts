/**
 * A worker's page of the scoreboard: what it counts, its last lines on standard error, its last words, and
 * once a second what it has measured of itself.
 */
import type { LastWords } from "../ipc/last-words.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { PageWriter } from "../scoreboard/page-writer.ts";
import { atExit } from "./last-acts.ts";
import { PageMeter } from "./page-meter.ts";
import type { Serving } from "./serving.ts";
import { keepStderr } from "./stderr-tail.ts";
import type { Vitals } from "./vitals.ts";
import { SLOW_REQUESTS } from "./watchdog/stack-probe.ts";

/** The page is mapped so long after the worker is ready: koffi takes 8 to 13 ms of CPU time to load. */
const MAP_AFTER_MS = 250;

export class WorkerScoreboard {
  readonly meter: PageMeter;
  readonly #page: PageWriter;
  #vitals: Vitals | undefined;

  constructor(page: PageWriter, log: ErrorLog) {
    this.#page = page;
    this.meter = new PageMeter(page);
    keepStderr((output) => page.appendStderr(output), log);
    log.whenWritten((level) => {
      if (level !== "debug" && level !== "info") this.meter.logged(level);
    });
    log.whenDropped(() => this.meter.logDropped("error"));
    atExit(() => page.flush());
    // For evaluation by the watchdog, also while this thread is blocked.
    Object.defineProperty(globalThis, Symbol.for(SLOW_REQUESTS), {
      value: () => JSON.stringify(this.meter.slowRequests.list()),
      configurable: true,
    });
  }

  /** Undefined if there is no page. */
  static open(
    { scoreboard, slot, generation }: Assignment<unknown>,
    log: ErrorLog,
  ): WorkerScoreboard | undefined {
    if (scoreboard === undefined) return undefined;
    const { pid } = process;
    const { timeOrigin } = performance;
    const owner = { pid, slot, generation, timeOrigin };
    return new WorkerScoreboard(new PageWriter(scoreboard.descriptor, scoreboard.offset, owner), log);
  }

  /**
   * The worker serves. What makes counting cheap, and what measures, is loaded a little later.
   *
   * @param onFullHeap called while the heap comes near its limit, with the bytes of its old generation
   */
  ready(serving: Serving, log: ErrorLog, onFullHeap: (used: number) => void): void {
    const later = async (): Promise<void> => {
      const { Vitals } = await import("./vitals.ts");
      this.#vitals = new Vitals(this.#page, serving, onFullHeap);
      this.#map(log);
    };
    setTimeout(() => {
      later().catch((error: Error) => log.debug(`The worker does not measure itself: ${error.message}`));
    }, MAP_AFTER_MS).unref();
  }

  #map(log: ErrorLog): void {
    import("../native/shared-memory.ts")
      .then(({ mapShared }) => this.#page.map(mapShared))
      .catch((error: Error) => log.debug(`The scoreboard is written, not mapped: ${error.message}`));
  }

  /** Leaves the worker's last words. */
  leaveNote(words: LastWords): void {
    this.#page.leaveNote(words);
  }

  /** Writes the vitals if they are due. Call with each heartbeat. */
  beat(): void {
    this.#vitals?.beat();
    this.meter.slowRequests.turn(performance.now());
  }
}
