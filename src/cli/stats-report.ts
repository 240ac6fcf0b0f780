/** Reads the report of a server that may be of another version than this command: fills in what it lacks. */
import type { StatsReport } from "../control/stats.ts";

const RATES = {
  seconds: 0,
  requestsPerSecond: 0,
  byClass: {},
  errorRatio: 0,
  shedPerSecond: 0,
  p50: null,
  p90: null,
  p99: null,
};

const WORKER = {
  pid: 0,
  slot: 0,
  generation: 0,
  state: "ready",
  age: 0,
  connections: 0,
  requests: 0,
  silence: null,
  address: null,
  notReady: null,
  isStuck: false,
  inFlight: 0,
  waiting: null,
  oldest: null,
  rates: RATES,
  loopUtilization: null,
  loopDelayP99: null,
  cpu: null,
  pssBytes: null,
  rssBytes: null,
  heapUsedBytes: null,
  heapLimitBytes: null,
  gcShare: null,
  openDescriptors: null,
  restarts: 0,
  lastExit: null,
};

const SERVER = {
  name: "",
  version: "",
  pid: 0,
  app: "",
  folder: "",
  startedIn: "",
  config: null,
  listening: [],
  startedAt: "",
  uptime: 0,
  generation: 0,
  generationStartedAt: null,
  workers: { target: 0, ready: 0 },
  state: "serving",
  ready: true,
  reason: "",
};

const STATS = {
  time: "",
  server: SERVER,
  workerStates: { booting: 0, ready: 0, draining: 0, stuck: 0 },
  lastReload: null,
  isCounting: true,
  rates: RATES,
  queueP50: null,
  queueP99: null,
  inFlight: 0,
  waiting: 0,
  inFlightLimit: null,
  connections: { active: 0, idle: 0, upgraded: 0 },
  listeners: [],
  workers: [],
  totals: { requests: 0, byClass: {}, rejected: {}, starts: 0, exits: {}, logLinesDropped: 0 },
  arbiter: { pid: 0, cpu: null, rssBytes: null, loopDelayP99: null },
  memoryLimitBytes: null,
};

/** Returns undefined for what is no such report at all. */
export function statsOf(body: unknown): StatsReport | undefined {
  if (!isObject(body) || !isObject(body.server) || !Array.isArray(body.workers)) return undefined;
  const workers = body.workers.filter(isObject).map((worker) => completed(WORKER, worker));
  return { ...(completed(STATS, body) as object), workers } as unknown as StatsReport;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Takes each member that has the template's type, or that the template does not know. */
function completed(
  template: Record<string, unknown>,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...template, ...given };
  for (const [name, fallback] of Object.entries(template)) {
    const value = given[name];
    if (isObject(fallback)) result[name] = isObject(value) ? completed(fallback, value) : fallback;
    else if (Array.isArray(fallback)) result[name] = Array.isArray(value) ? value : fallback;
    else if (fallback !== null && typeof value !== typeof fallback) result[name] = fallback;
    else if (value === undefined) result[name] = fallback;
  }
  return result;
}
