/**
 * Looks at all workers once a second, on turns of the loop that happen anyway, and keeps what the last seconds and the
 * last minute showed. A worker that works measures itself; one that is blocked or stopped is seen in /proc, and one that
 * rests only now and then, since a look has its price.
 */
import type { Rates } from "../../control/stats.ts";
import { addSeries, type Counts, noCounts, ratesBetween } from "../../metrics/counts.ts";
import type { DeathSample } from "../../records/death-record.ts";
import type { PageCounts } from "../../scoreboard/region-reader.ts";
import { processUse } from "../../system/process-use.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { Listener } from "../sockets/bind.ts";
import { Backlogs } from "./backlogs.ts";
import { History, type SlotPoint } from "./history.ts";
import {
  connectionsOf,
  deathSample,
  inFlightOf,
  isFreshAt,
  type Look,
  lookOf,
  rank,
  type WorkerLook,
} from "./look.ts";
import { MemoryShares } from "./memory-shares.ts";
import type { Scoreboard } from "./scoreboard.ts";
import { isStuck, type WorkerFigures, workerFigures } from "./worker-figures.ts";

export interface SamplerDependencies {
  pool(): Pool;
  readonly board: Scoreboard;
  pidOf(id: number): number | undefined;
  listeners(): readonly Listener[];
}

const INTERVAL_MS = 1000;
/** Turns come within a beat of each other: a look that is nearly due is taken, or it would be late by a whole one. */
const EARLY_MS = 100;
/** Looks that rates are taken over. */
const RATE_LOOKS = 5;
const MINUTE_LOOKS = 60;
/** A worker at rest is looked at in /proc this often. */
const REST_LOOK_MS = 10_000;

/** Workers send a heartbeat at least this often. */
const HEARTBEAT_MS = 1000;
/** A heartbeat travels, and the arbiter's own turns come when they come. */
const LATE_MS = 500;

/** The same moment by three clocks: `performance.now()`, the epoch, the pool's. */
interface Moments {
  readonly at: number;
  readonly time: number;
  readonly now: number;
}

interface Seen {
  readonly looks: WorkerLook[];
  usedAt: number;
}

export class Sampler {
  readonly history = new History();
  readonly memory = new MemoryShares();
  readonly backlogs: Backlogs;
  readonly #dependencies: SamplerDependencies;
  readonly #totals: Look[] = [];
  readonly #seen = new Map<number, Seen>();
  readonly #own: { readonly at: number; readonly cpu: number }[] = [];
  #sampledAt = Number.NEGATIVE_INFINITY;

  constructor(dependencies: SamplerDependencies) {
    this.#dependencies = dependencies;
    this.backlogs = new Backlogs(dependencies.listeners);
  }

  /** Takes a sample if one is due. Call on every turn of the loop. */
  review(): void {
    const now = performance.now();
    if (now - this.#sampledAt < INTERVAL_MS - EARLY_MS) return;
    this.#sampledAt = now;
    const look = this.look();
    keep(this.#totals, look, RATE_LOOKS + 1);
    keep(this.#own, { at: now, cpu: ownCpuTime() }, RATE_LOOKS + 1);
    for (const [id, worker] of look.workers) keep(this.#seenOf(id).looks, worker, MINUTE_LOOKS + 1);
    if (this.history.isDue(look.at)) this.#record(look);
  }

  /** The figures of a worker over the last seconds. */
  figures(worker: WorkerRecord, look: WorkerLook): WorkerFigures {
    const { now } = this.#dependencies.pool();
    const lastSignAt = worker.lastBeat?.at ?? worker.readyAt ?? worker.spawnedAt;
    return workerFigures(
      look,
      this.before(worker.id, look),
      isStuck(worker, now) ? now - lastSignAt : undefined,
    );
  }

  #record(look: Look): void {
    const { pool, pidOf } = this.#dependencies;
    const { roster } = pool();
    const inFlight = inFlightOf(look);
    const { connections } = connectionsOf(look);
    // If a slot has two workers, the one that serves stands for it.
    const bySlot = new Map<number, SlotPoint>();
    for (const worker of [...roster].sort((one, other) => rank(one) - rank(other))) {
      const seen = look.workers.get(worker.id);
      if (seen === undefined) continue;
      const figures = this.figures(worker, seen);
      bySlot.set(worker.slot, { slot: worker.slot, pssBytes: this.memory.of(pidOf(worker.id)), ...figures });
    }
    const { at, time, total } = look;
    const isBusy = inFlight > 0 || this.rates(look).requestsPerSecond > 0;
    this.history.add({
      at,
      time,
      total,
      inFlight,
      connections,
      backlog: this.backlogs.sample(isBusy),
      slots: [...bySlot.values()],
    });
  }

  /** Looks at everything, without keeping it. */
  look(): Look {
    const { board, pool } = this.#dependencies;
    const { ended, workers, others } = board.readAll();
    const [at, time] = [performance.now(), Date.now()];
    const total = noCounts();
    for (const series of ended) addSeries(total, series);
    for (const page of [...workers.values(), ...others]) addSeries(total, page.series);
    const { roster, now } = pool();
    const looks = new Map(
      roster.map((worker) => [worker.id, this.#lookAt(worker, workers.get(worker.id), { at, time, now })]),
    );
    return { at, time, total, workers: looks, others };
  }

  /** The rates of the server over the last seconds before a look. */
  rates(look: Look): Rates {
    const before = this.#totals.find(({ at }) => at < look.at);
    return before === undefined
      ? ratesBetween(look.total, look.total, 0)
      : ratesBetween(look.total, before.total, (look.at - before.at) / 1000);
  }

  /** The rates of a worker over the last seconds before a look at it. */
  workerRates(id: number, look: WorkerLook | undefined): Rates {
    const before = look && this.before(id, look);
    if (look === undefined || before === undefined) return ratesBetween(noCounts(), noCounts(), 0);
    return ratesBetween(look.counts, before.counts, (look.at - before.at) / 1000);
  }

  /** CPU time of this process over the time of the last seconds: 1 is a whole core. Null before the first sample. */
  ownCpu(): number | null {
    const before = this.#own[0];
    const now = performance.now();
    if (before === undefined || now <= before.at) return null;
    return Math.round(((ownCpuTime() - before.cpu) / (now - before.at)) * 1000) / 1000;
  }

  /** The look that the rates are taken since. */
  totalBefore(look: Look): Counts {
    return this.#totals.find(({ at }) => at < look.at)?.total ?? look.total;
  }

  /** The look at a worker some seconds before another; undefined if it is too young. */
  before(id: number, look: WorkerLook): WorkerLook | undefined {
    const looks = this.#seen.get(id)?.looks ?? [];
    return looks.slice(-RATE_LOOKS - 1).find(({ at }) => at < look.at);
  }

  /** The last minute of a worker that has ended, its last moment included. Forgets it. */
  finish(id: number): DeathSample[] {
    const looks = this.#seen.get(id)?.looks ?? [];
    const last = this.#dependencies.board.read(id);
    const [at, time] = [performance.now(), Date.now()];
    const all = last === undefined ? looks : [...looks, lookOf(last, at, time, undefined, looks.at(-1))];
    this.#seen.delete(id);
    return all
      .slice(1)
      .map((look, index) => deathSample(look, all[index] as WorkerLook))
      .slice(-MINUTE_LOOKS);
  }

  #seenOf(id: number): Seen {
    const known = this.#seen.get(id);
    if (known !== undefined) return known;
    const seen = { looks: [], usedAt: Number.NEGATIVE_INFINITY };
    this.#seen.set(id, seen);
    return seen;
  }

  #lookAt(worker: WorkerRecord, page: PageCounts | undefined, { at, time, now }: Moments): WorkerLook {
    const { id } = worker;
    const seen = this.#seenOf(id);
    const pid = this.#dependencies.pidOf(id);
    const isFresh = isFreshAt(page, time);
    const rests = page !== undefined && page.inFlight === 0 && at - seen.usedAt < REST_LOOK_MS;
    let use: ReturnType<typeof processUse>;
    if (pid !== undefined && !isFresh && !rests) {
      use = processUse(pid);
      seen.usedAt = at;
    }
    return lookOf(page, at, time, use, seen.looks.at(-1), lateness(worker, now));
  }
}

/** How late the next heartbeat of a worker is, in milliseconds; 0 if it is not, or not to be expected. */
function lateness({ lastBeat }: WorkerRecord, now: number): number {
  if (lastBeat === undefined || lastBeat.debugged) return 0;
  const late = now - lastBeat.at - HEARTBEAT_MS;
  return late < LATE_MS ? 0 : late;
}

/** Milliseconds. */
function ownCpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function keep<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.shift();
}
