/**
 * A worker measures itself once a second, with its heartbeat: no timer of its own wakes an idle process. Delays of
 * the event loop are sampled only while there is work.
 */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import { VITALS, type Vital } from "../scoreboard/layout.ts";
import type { PageWriter } from "../scoreboard/page-writer.ts";
import type { AcceptLimiter } from "../server/accept-limiter.ts";
import type { InFlightGate } from "../server/in-flight-gate.ts";
import type { WorkerServer } from "../server/server.ts";
import { Collections } from "./collections.ts";
import { HeapPressure, oldSpaceLimit } from "./heap-pressure.ts";

/** Beats may be more frequent. */
const INTERVAL_MS = 900;
/** An idle worker measures its memory so often, in beats. */
const IDLE_BEATS = 10;
/** Each sample wakes the process. */
const DELAY_RESOLUTION_MS = 20;

const NS = 1e6;
const US = 1000;

/** The server and its accept limiter. */
export interface VitalsSource {
  readonly server: Pick<WorkerServer, "requests" | "connectionStates">;
  readonly limiter: Pick<AcceptLimiter, "accepted" | "openDescriptors">;
  readonly gate?: Pick<InFlightGate, "waiting"> | undefined;
}

/** The last is not measured: `isMapped`. */
const MEASURED = VITALS.length - 1;

const INDEX = Object.fromEntries(VITALS.map((name, index) => [name, index])) as Record<Vital, number>;

/** The heap's spaces that a vital names; the large ones are summed. */
const SPACES: Readonly<Record<string, Vital>> = {
  old_space: "heapOld",
  new_space: "heapNew",
  large_object_space: "heapLarge",
  new_large_object_space: "heapLarge",
  code_space: "heapCode",
  code_large_object_space: "heapCode",
};

export class Vitals {
  readonly #page: PageWriter;
  readonly #source: VitalsSource;
  readonly #values = new Float64Array(MEASURED);
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  readonly #collections = new Collections();
  readonly #onFullHeap: (used: number) => void;
  /** Undefined where the limit is Node's own. */
  readonly #heap: HeapPressure | undefined;
  #samplesDelays = false;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #idleBeats = 0;

  /** @param onFullHeap called with the bytes of the old generation while they come near `oldSpaceLimit` */
  constructor(page: PageWriter, source: VitalsSource, onFullHeap: (used: number) => void = () => {}) {
    this.#page = page;
    this.#source = source;
    this.#onFullHeap = onFullHeap;
    const limit = oldSpaceLimit(process.execArgv);
    this.#heap = limit === undefined ? undefined : new HeapPressure(limit);
    this.#write(true);
  }

  /** Writes them if they are due. */
  beat(): void {
    const now = performance.now();
    if (now - this.#writtenAt < INTERVAL_MS) return;
    const isBusy = this.#source.server.requests !== this.#requests || this.#page.requestsInFlight > 0;
    this.#idleBeats = isBusy ? 0 : this.#idleBeats + 1;
    this.#sampleDelays(isBusy);
    this.#collections.addTo(this.#values);
    this.#write(this.#idleBeats % IDLE_BEATS <= 1);
  }

  #sampleDelays(isBusy: boolean): void {
    if (this.#samplesDelays === isBusy) return;
    this.#samplesDelays = isBusy;
    if (isBusy) this.#delays.enable();
    else this.#delays.disable();
  }

  /** @param all also what takes longer to find out */
  #write(all: boolean): void {
    const values = this.#values;
    this.#writtenAt = performance.now();
    this.#requests = this.#source.server.requests;
    values[INDEX.time] = Date.now();
    this.#measureLoad();
    this.#measureDelays();
    if (all) this.#measureMemory();
    this.#page.writeVitals(values);
  }

  #measureLoad(): void {
    const values = this.#values;
    const { active, idle, upgraded } = this.#source.server.connectionStates();
    values[INDEX.connectionsActive] = active;
    values[INDEX.connectionsIdle] = idle;
    values[INDEX.connectionsUpgraded] = upgraded;
    values[INDEX.connectionsAccepted] = this.#source.limiter.accepted;
    values[INDEX.requestsInFlight] = this.#page.requestsInFlight;
    values[INDEX.requestsWaiting] = this.#source.gate?.waiting ?? 0;
    const loop = performance.eventLoopUtilization();
    values[INDEX.loopActive] = loop.active;
    values[INDEX.loopIdle] = loop.idle;
    const cpu = process.cpuUsage();
    values[INDEX.cpuUser] = cpu.user / US;
    values[INDEX.cpuSystem] = cpu.system / US;
  }

  #measureDelays(): void {
    const values = this.#values;
    const delays = this.#delays;
    // Node measures the time between two samples, so the interval itself is no delay.
    const delay = (nanoseconds: number): number => Math.max(0, nanoseconds / NS - DELAY_RESOLUTION_MS);
    const isEmpty = delays.count === 0;
    values[INDEX.loopDelayP50] = isEmpty ? 0 : delay(delays.percentile(50));
    values[INDEX.loopDelayP90] = isEmpty ? 0 : delay(delays.percentile(90));
    values[INDEX.loopDelayP99] = isEmpty ? 0 : delay(delays.percentile(99));
    values[INDEX.loopDelayMax] = isEmpty ? 0 : delay(delays.max);
    delays.reset();
  }

  #watchHeap(): void {
    const vital = (name: Vital): number => this.#values[INDEX[name]] as number;
    const used = vital("heapOld") + vital("heapLarge") + vital("heapCode");
    if (this.#heap?.look(used, vital("gcMajorCount"))) this.#onFullHeap(used);
  }

  #measureMemory(): void {
    const values = this.#values;
    const heap = getHeapStatistics();
    values[INDEX.heapUsed] = heap.used_heap_size;
    values[INDEX.heapTotal] = heap.total_heap_size;
    values[INDEX.heapLimit] = heap.heap_size_limit;
    for (const name of Object.values(SPACES)) values[INDEX[name]] = 0;
    for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
      const name = SPACES[space_name];
      if (name !== undefined) (values[INDEX[name]] as number) += space_used_size;
    }
    const { external, arrayBuffers, rss } = process.memoryUsage();
    values[INDEX.external] = external;
    values[INDEX.arrayBuffers] = arrayBuffers;
    values[INDEX.rss] = rss;
    values[INDEX.openDescriptors] = this.#source.limiter.openDescriptors;
    this.#watchHeap();
  }
}
