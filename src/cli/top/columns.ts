/** The columns of the table of workers, and how they sort. */
import type { StatsReport, WorkerStats } from "../../control/stats.ts";
import { age, bytes, count, duration, percent, rate, ratio, UNKNOWN } from "../figures.ts";
import type { Style } from "./style.ts";
import type { Column } from "./table.ts";

export type ColumnId =
  | "slot"
  | "pid"
  | "generation"
  | "state"
  | "age"
  | "requests"
  | "inFlight"
  | "waiting"
  | "shed"
  | "oldest"
  | "connections"
  | "p50"
  | "p99"
  | "errors"
  | "loop"
  | "delay"
  | "cpu"
  | "memory"
  | "restarts"
  | "exit";

export interface WorkerColumn extends Column<WorkerStats> {
  readonly id: ColumnId;
  /** The larger comes first, except in the columns that name the worker. */
  sortKey(worker: WorkerStats): number | string;
}

/** The state in one word. */
export function stateOf({ state, isStuck, notReady }: WorkerStats): string {
  if (isStuck) return "stuck";
  return state === "ready" && notReady !== null ? "not ready" : state;
}

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ready: "good",
  booting: "warning",
  draining: "warning",
  "not ready": "warning",
  stuck: "bad",
};

/** Ends that nobody asked for. */
const PROBLEMS: ReadonlySet<string> = new Set(["stuck", "crash", "heap_oom", "killed", "boot_failed"]);

/** A loop this busy has no time left for one more request. */
const BUSY_LOOP = 0.9;
/** Milliseconds: every request waits so long for its turn. */
const LATE_LOOP = 100;
const SHARE_OF_ERRORS = 0.01;
/** Milliseconds: longer than the default of most proxies' clients wait without doubt. */
const OLD_REQUEST = 10_000;

function warnFrom(limit: number, value: number | null): Style {
  return value !== null && value >= limit ? "warning" : "plain";
}

/** `killed 3m ago: was killed by SIGKILL: out of memory` */
export function exitText({ lastExit }: Pick<WorkerStats, "lastExit">, now: number): string {
  if (lastExit === null) return UNKNOWN;
  const { reason, at, how } = lastExit;
  const ago = `${reason} ${age(now - Date.parse(at))} ago`;
  return PROBLEMS.has(reason) && how !== "" ? `${ago}: ${how}` : ago;
}

function exitStyle({ lastExit }: Pick<WorkerStats, "lastExit">): Style {
  return lastExit !== null && PROBLEMS.has(lastExit.reason) ? "bad" : "plain";
}

function column(
  id: ColumnId,
  heading: string,
  width: number,
  from: number,
  text: WorkerColumn["text"],
  sortKey: WorkerColumn["sortKey"],
  more: Partial<WorkerColumn> = {},
): WorkerColumn {
  return { id, heading, width, from, text, sortKey, align: "right", ...more };
}

export const COLUMNS: readonly WorkerColumn[] = [
  column(
    "slot",
    "SLOT",
    4,
    0,
    (worker) => String(worker.slot),
    (worker) => worker.slot,
  ),
  column(
    "pid",
    "PID",
    6,
    0,
    (worker) => String(worker.pid),
    (worker) => worker.pid,
  ),
  column(
    "generation",
    "GEN",
    3,
    104,
    (worker) => String(worker.generation),
    (worker) => worker.generation,
  ),
  column("state", "STATE", 9, 0, stateOf, stateOf, {
    align: "left",
    style: (worker) => STATE_STYLES[stateOf(worker)] ?? "plain",
  }),
  column(
    "age",
    "AGE",
    5,
    58,
    (worker) => age(worker.age),
    (worker) => worker.age,
  ),
  column(
    "requests",
    "REQ/S",
    6,
    0,
    (worker) => rate(worker.rates.requestsPerSecond),
    (worker) => worker.rates.requestsPerSecond,
  ),
  column(
    "inFlight",
    "INFL",
    4,
    0,
    (worker) => count(worker.inFlight),
    (worker) => worker.inFlight,
  ),
  column(
    "waiting",
    "WAIT",
    4,
    128,
    (worker) => count(worker.waiting),
    (worker) => worker.waiting ?? -1,
    { style: (worker) => warnFrom(1, worker.waiting) },
  ),
  column(
    "shed",
    "SHED",
    5,
    136,
    (worker) => rate(worker.rates.shedPerSecond),
    (worker) => worker.rates.shedPerSecond,
    { style: (worker) => (worker.rates.shedPerSecond > 0 ? "bad" : "plain") },
  ),
  column(
    "oldest",
    "OLDEST",
    6,
    66,
    (worker) => duration(worker.oldest),
    (worker) => worker.oldest ?? -1,
    { style: (worker) => warnFrom(OLD_REQUEST, worker.oldest) },
  ),
  column(
    "connections",
    "CONN",
    4,
    108,
    (worker) => count(worker.connections),
    (worker) => worker.connections,
  ),
  column(
    "p50",
    "P50",
    5,
    114,
    (worker) => duration(worker.rates.p50),
    (worker) => worker.rates.p50 ?? -1,
  ),
  column(
    "p99",
    "P99",
    5,
    0,
    (worker) => duration(worker.rates.p99),
    (worker) => worker.rates.p99 ?? -1,
  ),
  column(
    "errors",
    "5XX",
    5,
    98,
    (worker) => ratio(worker.rates.errorRatio),
    (worker) => worker.rates.errorRatio,
    { style: (worker) => (worker.rates.errorRatio >= SHARE_OF_ERRORS ? "bad" : "plain") },
  ),
  column(
    "loop",
    "ELU",
    4,
    0,
    (worker) => percent(worker.loopUtilization),
    (worker) => worker.loopUtilization ?? -1,
    { style: (worker) => warnFrom(BUSY_LOOP, worker.loopUtilization) },
  ),
  column(
    "delay",
    "LAG99",
    5,
    120,
    (worker) => duration(worker.loopDelayP99),
    (worker) => worker.loopDelayP99 ?? -1,
    { style: (worker) => warnFrom(LATE_LOOP, worker.loopDelayP99) },
  ),
  column(
    "cpu",
    "CPU",
    4,
    86,
    (worker) => percent(worker.cpu),
    (worker) => worker.cpu ?? -1,
  ),
  column(
    "memory",
    "PSS",
    4,
    0,
    (worker) => bytes(worker.pssBytes ?? worker.rssBytes),
    (worker) => worker.pssBytes ?? worker.rssBytes ?? -1,
  ),
  column(
    "restarts",
    "↺",
    2,
    92,
    (worker) => String(worker.restarts),
    (worker) => worker.restarts,
  ),
  column(
    "exit",
    "LAST EXIT",
    9,
    80,
    exitText,
    (worker) => (worker.lastExit === null ? 0 : Date.parse(worker.lastExit.at)),
    { align: "left", style: exitStyle },
  ),
];

/** Columns of figures that workers count and measure themselves. */
const COUNTED: ReadonlySet<ColumnId> = new Set<ColumnId>([
  "requests",
  "inFlight",
  "waiting",
  "shed",
  "oldest",
  "p50",
  "p99",
  "errors",
  "loop",
  "delay",
]);

/** Columns of the limit of requests in flight. */
const LIMITED: ReadonlySet<ColumnId> = new Set<ColumnId>(["waiting", "shed"]);

/** The columns that fit a terminal of this width, and of which the server knows something. */
export function columnsFor(
  width: number,
  { isCounting = true, inFlightLimit = null, workers = [] }: Partial<StatsReport> = {},
): WorkerColumn[] {
  const isKnown = (id: ColumnId): boolean =>
    (isCounting || !COUNTED.has(id)) && (inFlightLimit !== null || !LIMITED.has(id));
  const shown = COLUMNS.filter(({ from, id }) => width >= from && isKnown(id));
  const isResident = workers.some(hasMemory) && workers.every(({ pssBytes }) => pssBytes === null);
  return isResident
    ? shown.map((each) => (each.id === "memory" ? { ...each, heading: "RSS" } : each))
    : shown;
}

function hasMemory({ pssBytes, rssBytes }: WorkerStats): boolean {
  return (pssBytes ?? rssBytes) !== null;
}

const ASCENDING: ReadonlySet<ColumnId> = new Set<ColumnId>(["slot", "pid", "state"]);

export function isAscending(id: ColumnId): boolean {
  return ASCENDING.has(id);
}

/** Sorts workers by a column; equal ones stay in the order of their slots. */
export function sorted(workers: readonly WorkerStats[], id: ColumnId): WorkerStats[] {
  const { sortKey } = COLUMNS.find((each) => each.id === id) as WorkerColumn;
  const direction = isAscending(id) ? 1 : -1;
  return [...workers].sort((a, b) => {
    const [one, other] = [sortKey(a), sortKey(b)];
    if (one !== other) return one < other ? -direction : direction;
    return a.slot - b.slot || a.pid - b.pid;
  });
}
