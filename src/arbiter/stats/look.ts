/** A look at the workers: the counts and vitals of all at one moment. Pure. */
import { addSeries, type Counts, noCounts } from "../../metrics/counts.ts";
import type { DeathSample } from "../../records/death-record.ts";
import type { Vitals } from "../../scoreboard/page-reader.ts";
import type { PageCounts } from "../../scoreboard/region-reader.ts";
import type { ProcessUse } from "../../system/process-use.ts";
import type { WorkerRecord } from "../pool/roster.ts";

/** A worker as the look found it. */
export interface WorkerLook {
  /** As in `performance.now()`. */
  readonly at: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Whether it counts on a page of the scoreboard. Else the counts are 0. */
  readonly isCounted: boolean;
  readonly counts: Counts;
  /** Undefined before the worker has measured itself. */
  readonly vitals: Vitals | undefined;
  /** Whether its vitals are of the last seconds. */
  readonly isFresh: boolean;
  readonly inFlight: number;
  /** The same by method. */
  readonly methods: readonly number[];
  /** When its oldest request in flight began, in milliseconds since the epoch. */
  readonly oldest: number | undefined;
  /** CPU time in milliseconds. */
  readonly cpu: number | undefined;
  readonly rss: number | undefined;
  /** How late its next heartbeat is, in milliseconds: its event loop is blocked, or its process is stopped. */
  readonly late: number;
}

export interface Look {
  readonly at: number;
  readonly time: number;
  /** The counts of the server, another arbiter's region included. */
  readonly total: Counts;
  readonly workers: ReadonlyMap<number, WorkerLook>;
  readonly others: readonly PageCounts[];
}

/** Vitals that are older than this are of a worker that rests, or cannot measure. */
const FRESH_MS = 2500;
/** The higher, the more a worker stands for its slot. */
export function rank({ state, id }: Pick<WorkerRecord, "state" | "id">): number {
  return { draining: 0, booting: 1, ready: 2 }[state] + id * 1e-9;
}

/** Requests in flight in all workers. */
export function inFlightOf({ workers, others }: Look): number {
  let sum = 0;
  for (const { inFlight } of [...workers.values(), ...others]) sum += inFlight;
  return sum;
}

/** Requests in flight that wait for a place, as all workers last counted them. */
export function waitingOf({ workers, others }: Look): number {
  let sum = 0;
  for (const { vitals } of [...workers.values(), ...others]) sum += vitals?.requestsWaiting ?? 0;
  return sum;
}

/** Connections of all workers, as they last counted them. */
export function connectionsOf({ workers, others }: Look): {
  readonly active: number;
  readonly idle: number;
  readonly upgraded: number;
  readonly connections: number;
} {
  const sum = { active: 0, idle: 0, upgraded: 0, connections: 0 };
  for (const { vitals } of [...workers.values(), ...others]) {
    if (vitals === undefined) continue;
    sum.active += vitals.connectionsActive;
    sum.idle += vitals.connectionsIdle;
    sum.upgraded += vitals.connectionsUpgraded;
  }
  sum.connections = sum.active + sum.idle + sum.upgraded;
  return sum;
}

/** Whether a page has vitals of the last seconds. */
export function isFreshAt(page: PageCounts | undefined, time: number): boolean {
  return page?.vitals !== undefined && Math.abs(time - page.vitals.time) < FRESH_MS;
}

/**
 * @param use what /proc says, if it was asked
 * @param last the look before
 * @param late how late its next heartbeat is; undefined if it has ended since the look before
 */
export function lookOf(
  page: PageCounts | undefined,
  at: number,
  time: number,
  use: ProcessUse | undefined,
  last: WorkerLook | undefined,
  late?: number,
): WorkerLook {
  const counts = noCounts();
  addSeries(counts, page?.series ?? []);
  const vitals = page?.vitals;
  const isFresh = isFreshAt(page, time);
  const measured = isFresh && vitals ? vitals.cpuUser + vitals.cpuSystem : undefined;
  const cpu = use?.cpu ?? measured ?? last?.cpu;
  return {
    at,
    time,
    isCounted: page !== undefined,
    counts,
    vitals,
    isFresh,
    inFlight: page?.inFlight ?? 0,
    methods: page?.methods ?? [],
    oldest: page?.oldest,
    // The two sources differ by a few milliseconds.
    cpu: cpu === undefined ? undefined : Math.max(cpu, last?.cpu ?? 0),
    // A process that ends gives its memory back before it is gone.
    rss: (use?.rss || undefined) ?? (isFresh ? vitals?.rss : last?.rss) ?? undefined,
    late: late ?? (last !== undefined && last.late > 0 ? last.late + at - last.at : 0),
  };
}

/** One second of a worker, for the record of its end. */
export function deathSample(look: WorkerLook, before: WorkerLook): DeathSample {
  const seconds = Math.max(0.001, (look.at - before.at) / 1000);
  const { vitals, isFresh, late } = look;
  const requests = Math.max(0, look.counts.requests - before.counts.requests);
  return {
    time: look.time,
    rss: look.rss ?? null,
    heapUsed: vitals?.heapUsed ?? null,
    external: vitals?.external ?? null,
    // A blocked worker cannot measure itself, and one that rests does not.
    loopDelay:
      vitals === undefined && late === 0 ? null : Math.max(late, isFresh ? (vitals?.loopDelayMax ?? 0) : 0),
    cpu: cpuShare(look, before),
    requestsPerSecond: look.isCounted ? Math.round((requests / seconds) * 100) / 100 : null,
    inFlight: look.isCounted ? look.inFlight : null,
  };
}

/** CPU time over time between two looks: 1 is a whole core. */
export function cpuShare(look: WorkerLook, before: WorkerLook | undefined): number | null {
  if (look.cpu === undefined || before?.cpu === undefined || look.at <= before.at) return null;
  return Math.round((Math.max(0, look.cpu - before.cpu) / (look.at - before.at)) * 1000) / 1000;
}
