/** Reports as a real server could have sent them, for tests of the dashboard. */
import type {
  DeathReport,
  EventReport,
  HistoryReport,
  InFlightReport,
  Rates,
  StatsReport,
  WorkerStats,
} from "../../src/control/stats.ts";
import { DURATION_BUCKETS } from "../../src/scoreboard/metrics.ts";

/** Repeats itself, and looks alive: from -1 to 1. */
function wave(index: number, seed: number): number {
  return (
    (Math.sin(index / 37 + seed) +
      Math.sin(index / 11 + seed * 3) * 0.6 +
      Math.sin(index * 1.7 + seed) * 0.3) /
    1.9
  );
}

function rates(requestsPerSecond: number): Rates {
  return {
    seconds: 5,
    requestsPerSecond,
    byClass: {
      "2xx": requestsPerSecond * 0.97,
      "4xx": requestsPerSecond * 0.025,
      "5xx": requestsPerSecond * 0.005,
    },
    errorRatio: 0.005,
    shedPerSecond: 0,
    p50: 3.2,
    p90: 12.5,
    p99: 41,
  };
}

export function worker(slot: number, rest: Partial<WorkerStats> = {}): WorkerStats {
  return {
    pid: 4700 + slot,
    slot,
    generation: 7,
    state: "ready",
    age: 7_260_000,
    connections: 16 + slot,
    requests: 120_000 + slot,
    silence: 400,
    address: null,
    notReady: null,
    isStuck: false,
    inFlight: slot,
    waiting: 0,
    oldest: slot * 12.5,
    rates: rates(460 + slot),
    loopUtilization: 0.3 + slot / 20,
    loopDelayP99: 2.4 + slot,
    cpu: 0.4 + slot / 20,
    pssBytes: 61_000_000 + slot * 1_000_000,
    rssBytes: 98_000_000,
    heapUsedBytes: 30_000_000,
    heapLimitBytes: 2_000_000_000,
    gcShare: 0.012,
    openDescriptors: 42,
    restarts: slot - 1,
    lastExit:
      slot === 2
        ? { pid: 4600, at: "2026-01-05T09:58:00.000Z", reason: "crash", how: "exited with code 1: TypeError" }
        : null,
    ...rest,
  };
}

export const TIME: number = Date.parse("2026-01-05T10:00:00.000Z");

export function statsReport(time: number = TIME, slots = 4): StatsReport {
  const workers = Array.from({ length: slots }, (_, index) => worker(index + 1));
  return {
    time: new Date(time).toISOString(),
    server: {
      name: "shop",
      version: "0.1.0",
      pid: 4700,
      app: "app.ts",
      folder: "/srv/shop",
      startedIn: "/srv/shop",
      config: null,
      listening: ["unix:/run/shop/shop.sock", "http://127.0.0.1:8000"],
      startedAt: new Date(time - 7_260_000).toISOString(),
      uptime: 7_260_000,
      generation: 7,
      generationStartedAt: new Date(time - 120_000).toISOString(),
      workers: { target: slots, ready: slots },
      state: "serving",
      ready: true,
      reason: "ok",
    },
    workerStates: { booting: 0, ready: slots, draining: 0, stuck: 0 },
    lastReload: { ok: true, at: new Date(time - 120_000).toISOString(), duration: 1840, error: null },
    isCounting: true,
    rates: rates(1842),
    queueP50: 0.4,
    queueP99: 2.1,
    inFlight: 10,
    waiting: 0,
    inFlightLimit: null,
    connections: { active: 10, idle: 60, upgraded: 4 },
    listeners: [
      { address: "unix:/run/shop/shop.sock", slot: null, backlog: 0, backlogLimit: 2048 },
      { address: "http://127.0.0.1:8000", slot: null, backlog: 3, backlogLimit: 2048 },
    ],
    workers,
    totals: {
      requests: 480_010,
      byClass: { "2xx": 470_000, "4xx": 9000, "5xx": 1010 },
      rejected: { malformed: 3 },
      starts: 9,
      exits: { reload: 4, crash: 1 },
      logLinesDropped: 0,
    },
    arbiter: { pid: 4700, cpu: 0.01, rssBytes: 70_000_000, loopDelayP99: 1.1 },
    memoryLimitBytes: 1_073_741_824,
  };
}

/** Ends at `time`. */
export function historyReport(time: number = TIME, points = 600, slots = 4): HistoryReport {
  const over = <T>(make: (index: number) => T): T[] =>
    Array.from({ length: points }, (_, index) => make(index));
  const requests = over((index) => Math.round(1800 + 500 * wave(index, 1)));
  const errors = over((index) =>
    index > 470 && index < 500 ? 60 : Math.max(0, Math.round(8 + 10 * wave(index, 2))),
  );
  return {
    interval: 1000,
    time: over((index) => time - (points - 1 - index) * 1000),
    byClass: {
      "2xx": requests,
      "3xx": over((index) => Math.max(0, Math.round(60 + 40 * wave(index, 3)))),
      "4xx": over((index) => Math.max(0, Math.round(90 + 60 * wave(index, 4)))),
      "5xx": errors,
    },
    errorRatio: errors.map((count, index) => count / ((requests[index] ?? 0) + count)),
    p50: over((index) => 3.2 + wave(index, 5)),
    p90: over((index) => 12.5 + 5 * wave(index, 6)),
    p99: over((index) => 41 + 22 * wave(index, 7) + (index > 470 && index < 500 ? 80 : 0)),
    durations: {
      bounds: DURATION_BUCKETS,
      counts: over((index) =>
        [1400, 260, 90, 30, 12, 8, 4, 2, 1, 0, index % 90 === 0 ? 1 : 0, 0, 0, 0, 0].map((count, row) =>
          Math.max(0, Math.round(count * (1 + 0.4 * wave(index, row)))),
        ),
      ),
    },
    queueP99: over((index) => Math.max(0.2, 2 + 1.4 * wave(index, 8))),
    backlog: over((index) => (index > 470 && index < 490 ? 40 : 0)),
    inFlight: over((index) => Math.max(0, Math.round(10 + 5 * wave(index, 9)))),
    connections: over((index) => Math.round(74 + 8 * wave(index, 10))),
    rejected: {
      malformed: over((index) => (index % 170 === 20 ? 1 : 0)),
      overload: over((index) => (index > 470 && index < 490 ? 3 : 0)),
    },
    starts: over((index) => (index >= 478 && index < 482 ? 1 : index === 300 ? 1 : 0)),
    exits: {
      reload: over((index) => (index >= 480 && index < 484 ? 1 : 0)),
      crash: over((index) => (index === 300 ? 1 : 0)),
      stop: over(() => 0),
    },
    slots: Array.from({ length: slots }, (_, slot) => ({
      slot: slot + 1,
      loopUtilization: over((index) => 0.42 + 0.12 * wave(index, slot * 2)),
      loopDelayP99: over((index) => 3 + wave(index, slot + 20) + slot / 2),
      pssBytes: over((index) => 61e6 + slot * 4e6 + index * 9000 - (index > 300 && slot === 1 ? 12e6 : 0)),
      cpu: over((index) => 0.5 + 0.15 * wave(index, slot * 2 + 1)),
      gcShare: over((index) => 0.012 + 0.006 * wave(index, slot + 30)),
    })),
  };
}

export function eventReports(time: number = TIME): EventReport[] {
  const at = (seconds: number): string => new Date(time - seconds * 1000).toISOString();
  return [
    {
      number: 1,
      time: at(299),
      type: "worker-exit",
      message:
        "worker 4600 exited with code 1: TypeError: Cannot read properties of undefined (reading 'price')",
      pid: 4600,
      slot: 2,
      generation: 6,
      reason: "crash",
      isProblem: true,
    },
    {
      number: 2,
      time: at(298),
      type: "worker-ready",
      message: "worker 4610 is ready",
      pid: 4610,
      slot: 2,
      duration: 412,
      isProblem: false,
    },
    {
      number: 3,
      time: at(122),
      type: "reload",
      message: "reload: generation 7 begins",
      generation: 7,
      isProblem: false,
    },
    {
      number: 4,
      time: at(121),
      type: "worker-ready",
      message: "worker 4701 is ready",
      pid: 4701,
      slot: 1,
      duration: 455,
      isProblem: false,
    },
    {
      number: 5,
      time: at(120),
      type: "reloaded",
      message: "generation 7 serves with 4 workers",
      generation: 7,
      duration: 1840,
      isProblem: false,
    },
    { number: 6, time: at(480), type: "upgrade", message: "upgraded to tsgun 0.1.0", isProblem: false },
  ];
}

export function inFlightReports(): InFlightReport[] {
  return [
    {
      pid: 4701,
      slot: 1,
      method: "GET",
      target: "/orders?page=2",
      id: "7f3a9c21",
      remote: "10.0.0.7",
      age: 2431,
      bytesReceived: 0,
      bytesSent: 1200,
    },
    {
      pid: 4702,
      slot: 2,
      method: "POST",
      target: "/checkout",
      id: "7f3a9c22",
      remote: "10.0.0.9",
      age: 182,
      bytesReceived: 5301,
      bytesSent: 0,
    },
    {
      pid: 4702,
      slot: 2,
      method: "GET",
      target: "/images/a-rather-long-name-of-a-picture-of-shoes.webp",
      id: null,
      remote: null,
      age: 3.4,
      bytesReceived: null,
      bytesSent: null,
    },
  ];
}

export function deathReports(time: number = TIME): DeathReport[] {
  const at = (seconds: number): string => new Date(time - seconds * 1000).toISOString();
  return [
    {
      id: "4604",
      time: at(118),
      server: "shop",
      pid: 4604,
      slot: 4,
      generation: 6,
      reason: "reload",
      how: "exited with code 0",
      headline: "ended for a reload",
      cause: "",
      orderedFor: "reload",
      isProblem: false,
      age: 7_080_000,
      requests: 120_004,
    },
    {
      id: "4600",
      time: at(299),
      server: "shop",
      pid: 4600,
      slot: 2,
      generation: 6,
      reason: "crash",
      how: "exited with code 1",
      headline: "crashed: TypeError: Cannot read properties of undefined (reading 'price')",
      cause: "an error that nothing caught, in app.ts:42",
      orderedFor: null,
      isProblem: true,
      age: 6_900_000,
      requests: 118_201,
    },
  ];
}

type Series = readonly (number | null)[];

/** The points after `since`, in milliseconds since the epoch. */
export function historySince(history: HistoryReport, since: number): HistoryReport {
  const found = history.time.findIndex((time) => time > since);
  const start = found === -1 ? history.time.length : found;
  const cut = <Values extends readonly unknown[]>(values: Values): Values =>
    values.slice(start) as unknown as Values;
  const cutEach = (group: HistoryReport["byClass"]): HistoryReport["byClass"] =>
    Object.fromEntries(Object.entries(group).map(([name, values]) => [name, cut(values)]));
  return {
    interval: history.interval,
    time: cut(history.time),
    byClass: cutEach(history.byClass),
    errorRatio: cut(history.errorRatio),
    p50: cut(history.p50),
    p90: cut(history.p90),
    p99: cut(history.p99),
    durations: { bounds: history.durations.bounds, counts: cut(history.durations.counts) },
    queueP99: cut(history.queueP99),
    backlog: cut(history.backlog),
    inFlight: cut(history.inFlight),
    connections: cut(history.connections),
    rejected: cutEach(history.rejected),
    starts: cut(history.starts),
    exits: cutEach(history.exits),
    slots: history.slots.map((slot) => ({
      slot: slot.slot,
      loopUtilization: cut<Series>(slot.loopUtilization),
      loopDelayP99: cut<Series>(slot.loopDelayP99),
      pssBytes: cut<Series>(slot.pssBytes),
      cpu: cut<Series>(slot.cpu),
      gcShare: cut<Series>(slot.gcShare),
    })),
  };
}
