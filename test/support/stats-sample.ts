/** A report as a server sends it, for tests of what shows it. */
import type { HistoryReport, InFlightReport, StatsReport, WorkerStats } from "../../src/control/stats.ts";

/** The time on all clocks of the samples. */
export const SAMPLE_TIME = Date.parse("2026-03-01T12:00:00.000Z");

export function ago(milliseconds: number): string {
  return new Date(SAMPLE_TIME - milliseconds).toISOString();
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MIB = 1024 ** 2;

const RATES = {
  seconds: 5,
  requestsPerSecond: 460.5,
  byClass: { "2xx": 460.4, "5xx": 0.1 },
  errorRatio: 0.0002,
  shedPerSecond: 0,
  p50: 3.1,
  p90: 12,
  p99: 41,
};

/** A worker that serves, with what differs. */
export function workerSample(slot: number, different: Partial<WorkerStats> = {}): WorkerStats {
  return {
    pid: 4712 + slot,
    slot,
    generation: 7,
    state: "ready",
    age: 2 * HOUR,
    connections: 16,
    requests: 3_315_600,
    silence: 400,
    address: null,
    notReady: null,
    isStuck: false,
    inFlight: 3,
    waiting: 0,
    oldest: 12.4,
    rates: RATES,
    loopUtilization: 0.412,
    loopDelayP99: 11.3,
    cpu: 0.44,
    pssBytes: 61 * MIB,
    rssBytes: 88 * MIB,
    heapUsedBytes: 24 * MIB,
    heapLimitBytes: 4144 * MIB,
    gcShare: 0.021,
    openDescriptors: 38,
    restarts: 0,
    lastExit: null,
    ...different,
  };
}

/** One that crashed, one that is stuck, one that boots, one whose app is not ready, in each a fact of its own. */
export const WORKERS: readonly WorkerStats[] = [
  workerSample(0),
  workerSample(1, {
    isStuck: true,
    inFlight: 112,
    oldest: 41_200,
    silence: 41_000,
    rates: { ...RATES, requestsPerSecond: 0, byClass: {}, errorRatio: 0, p50: null, p90: null, p99: null },
    loopUtilization: 1,
    loopDelayP99: 38_000,
    cpu: 1.01,
  }),
  workerSample(2, {
    pid: 118_230,
    age: 3.5 * MINUTE,
    restarts: 12,
    rates: { ...RATES, errorRatio: 0.031, p99: 1240 },
    pssBytes: 1.4 * 1024 * MIB,
    lastExit: {
      pid: 4714,
      at: ago(3.6 * MINUTE),
      reason: "killed",
      how: "was killed by SIGKILL: out of memory",
    },
  }),
  workerSample(3, {
    notReady: "the database 東京 is away",
    lastExit: { pid: 3102, at: ago(2 * HOUR), reason: "reload", how: "exited with code 0" },
  }),
  workerSample(4, {
    pid: 118_301,
    state: "booting",
    age: 800,
    connections: 0,
    requests: 0,
    silence: null,
    inFlight: 0,
    oldest: null,
    rates: { ...RATES, requestsPerSecond: 0, byClass: {}, errorRatio: 0, p50: null, p90: null, p99: null },
    loopUtilization: null,
    loopDelayP99: null,
    cpu: null,
    pssBytes: null,
    rssBytes: null,
    heapUsedBytes: null,
    heapLimitBytes: null,
    gcShare: null,
    openDescriptors: null,
  }),
];

/** A server with these workers, with what differs. */
export function statsSample(different: Partial<StatsReport> = {}): StatsReport {
  return {
    time: ago(0),
    server: {
      name: "shop",
      version: "0.1.0",
      pid: 4711,
      app: "app.ts",
      folder: "/srv/shop",
      startedIn: "/srv/shop",
      config: "/srv/shop/tsgun.config.ts",
      listening: ["http://127.0.0.1:8000"],
      startedAt: ago(50 * HOUR),
      uptime: 50 * HOUR,
      generation: 7,
      generationStartedAt: ago(2 * HOUR),
      workers: { target: 4, ready: 4 },
      state: "serving",
      ready: true,
      reason: "ok",
    },
    workerStates: { booting: 1, ready: 3, draining: 0, stuck: 1 },
    lastReload: { ok: true, at: ago(2 * HOUR), duration: 2300, error: null },
    isCounting: true,
    rates: { ...RATES, requestsPerSecond: 1842 },
    queueP50: 0.6,
    queueP99: 2,
    inFlight: 118,
    waiting: 0,
    inFlightLimit: null,
    connections: { active: 64, idle: 0, upgraded: 0 },
    listeners: [{ address: "http://127.0.0.1:8000", slot: null, backlog: 0, backlogLimit: 2048 }],
    workers: WORKERS,
    totals: {
      requests: 13_262_400,
      byClass: { "2xx": 13_262_000, "5xx": 400 },
      rejected: { malformed: 12 },
      starts: 30,
      exits: { killed: 12, reload: 13 },
      logLinesDropped: 0,
    },
    arbiter: { pid: 4711, cpu: 0.002, rssBytes: 61 * MIB, loopDelayP99: 1.2 },
    memoryLimitBytes: null,
    ...different,
  };
}

export const RATES_SAMPLE: readonly number[] = [0, 310, 620, 800, 1200, 1900, 1400, 1100, 1842];

/** The last seconds before the report. */
export function historySample(rates: readonly number[] = RATES_SAMPLE): HistoryReport {
  const none = rates.map(() => null);
  const zeros = rates.map(() => 0);
  return {
    interval: 1000,
    time: rates.map((_, index) => SAMPLE_TIME - 1000 * (rates.length - index)),
    byClass: { "2xx": rates, "5xx": zeros },
    errorRatio: zeros,
    p50: none,
    p90: none,
    p99: none,
    durations: { bounds: [0.005, 0.01], counts: rates.map(() => [0, 0, 0]) },
    queueP99: none,
    backlog: none,
    inFlight: zeros,
    connections: zeros,
    rejected: {},
    starts: zeros,
    exits: {},
    slots: [],
  };
}

export const REQUESTS_SAMPLE: readonly InFlightReport[] = [
  {
    pid: 4712,
    slot: 0,
    method: "GET",
    target: "/items/1",
    id: "8f3a",
    remote: "10.0.0.7",
    age: 12.4,
    bytesReceived: 0,
    bytesSent: 81_920,
  },
  {
    pid: 4713,
    slot: 1,
    method: "POST",
    target: "/orders?q=\u001b[31mred",
    id: null,
    remote: null,
    age: 41_200,
    bytesReceived: null,
    bytesSent: null,
  },
];

/** A sample as if it were of now. */
export function ofNow<T>(report: T): T {
  const shift = Date.now() - SAMPLE_TIME;
  const text = JSON.stringify(report).replaceAll(/"(\d{4}-\d\d-\d\dT[\d:.]+Z)"/g, (_, time: string) =>
    JSON.stringify(new Date(Date.parse(time) + shift).toISOString()),
  );
  return JSON.parse(text) as T;
}
