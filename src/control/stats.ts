/**
 * The reports of the control interface about the running server: the data behind `tsgun ctl`, `tsgun top`, the dashboard and
 * `tsgun ps`. Times are milliseconds and sizes bytes, unless a name says otherwise; null stands for what is not known.
 */
import type { DeathRecord } from "../records/death-record.ts";
import type { ExitReason } from "../scoreboard/metrics.ts";
import type { StatusReport, WorkerReport } from "./api.ts";

/** Rates and percentiles over the last seconds. */
export interface Rates {
  /** The time that they cover. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Requests per second by class of status: `2xx`. */
  readonly byClass: Readonly<Record<string, number>>;
  /** Share of requests that ended with 5xx or an error, from 0 to 1. */
  readonly errorRatio: number;
  /** Requests per second that were refused for load: 503, without a call of the app. */
  readonly shedPerSecond: number;
  /** Percentiles of the duration; null without requests. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** A worker: what the arbiter knows, what the kernel says, and what it has measured of itself. */
export interface WorkerStats extends WorkerReport {
  /** Its event loop is blocked, or it is stopped. */
  readonly isStuck: boolean;
  readonly inFlight: number;
  /** Requests in flight that wait for a place of `--max-in-flight`. */
  readonly waiting: number | null;
  /** Age of its oldest request in flight. */
  readonly oldest: number | null;
  readonly rates: Rates;
  /** From 0 to 1. */
  readonly loopUtilization: number | null;
  readonly loopDelayP99: number | null;
  /** CPU time over time: 1 is a whole core. */
  readonly cpu: number | null;
  readonly pssBytes: number | null;
  readonly rssBytes: number | null;
  readonly heapUsedBytes: number | null;
  readonly heapLimitBytes: number | null;
  /** Share of time in garbage collections, from 0 to 1. */
  readonly gcShare: number | null;
  readonly openDescriptors: number | null;
  /** Workers that its slot has had before it. */
  readonly restarts: number;
  /** How the previous worker of its slot ended. */
  readonly lastExit: LastExit | null;
}

export interface LastExit {
  readonly pid: number;
  /** ISO 8601. */
  readonly at: string;
  readonly reason: ExitReason;
  /** `was killed by SIGKILL: out of memory` */
  readonly how: string;
}

/** GET /deaths: the end of a worker. */
export interface DeathReport {
  /** Names its record: GET /deaths/ID. */
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly server: string;
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  readonly reason: ExitReason;
  /** `was killed by SIGKILL: out of memory` */
  readonly how: string;
  /** Continues "worker 4711 …": `ran out of V8 heap, with 70 MB in use` */
  readonly headline: string;
  /** The likely cause; empty if nothing is known. */
  readonly cause: string;
  /** Why tsgun ended it; null if it did not. */
  readonly orderedFor: string | null;
  /** Whether somebody should look at it. */
  readonly isProblem: boolean;
  /** How long it lived. */
  readonly age: number;
  readonly requests: number;
}

/** GET /deaths/ID */
export interface DeathStory {
  /** As `tsgun why` prints it. */
  readonly story: string;
  readonly record: DeathRecord;
}

export interface ListenerReport {
  /** `http://127.0.0.1:8000`, `unix:/run/app.sock` */
  readonly address: string;
  /** The slot whose worker alone accepts there; null for all. */
  readonly slot: number | null;
  /** Connections that wait to be accepted; null if the system does not say. */
  readonly backlog: number | null;
  readonly backlogLimit: number | null;
}

export interface ReloadReport {
  readonly ok: boolean;
  /** ISO 8601, of its end. */
  readonly at: string;
  readonly duration: number;
  /** Null if it succeeded. */
  readonly error: string | null;
}

/** GET /stats */
export interface StatsReport {
  /** ISO 8601. */
  readonly time: string;
  readonly server: StatusReport;
  /** How many workers are in each state. */
  readonly workerStates: Readonly<Record<"booting" | "ready" | "draining" | "stuck", number>>;
  readonly lastReload: ReloadReport | null;
  /** Whether workers count: not with `--no-metrics`, or without a scoreboard. Else rates are 0, and figures null. */
  readonly isCounting: boolean;
  /** The rates of all workers together. */
  readonly rates: Rates;
  /** Queue time (X-Request-Start) of the last seconds; null without. */
  readonly queueP50: number | null;
  readonly queueP99: number | null;
  readonly inFlight: number;
  /** Requests in flight that wait for a place of `--max-in-flight`. */
  readonly waiting: number;
  /** The limit of each worker on both; null without `--max-in-flight`. */
  readonly inFlightLimit: { readonly places: number; readonly waiting: number } | null;
  readonly connections: { readonly active: number; readonly idle: number; readonly upgraded: number };
  readonly listeners: readonly ListenerReport[];
  readonly workers: readonly WorkerStats[];
  /** Since the server started, upgrades included. */
  readonly totals: {
    readonly requests: number;
    readonly byClass: Readonly<Record<string, number>>;
    readonly rejected: Readonly<Record<string, number>>;
    readonly starts: number;
    readonly exits: Readonly<Partial<Record<ExitReason, number>>>;
    readonly logLinesDropped: number;
  };
  readonly arbiter: {
    readonly pid: number;
    readonly cpu: number | null;
    readonly rssBytes: number | null;
    readonly loopDelayP99: number | null;
  };
  /** The control group's limit; null for none. */
  readonly memoryLimitBytes: number | null;
}

/** GET /history: the last ten minutes, one point every `interval` milliseconds. All arrays are as long as `time`. */
export interface HistoryReport {
  readonly interval: number;
  /** Milliseconds since the epoch. */
  readonly time: readonly number[];
  readonly byClass: Readonly<Record<string, readonly number[]>>;
  readonly errorRatio: readonly number[];
  readonly p50: readonly (number | null)[];
  readonly p90: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  /** Requests in each bucket of the duration's histogram, for a heat map; `bounds` in seconds, and one more bucket above them. */
  readonly durations: { readonly bounds: readonly number[]; readonly counts: readonly (readonly number[])[] };
  readonly queueP99: readonly (number | null)[];
  readonly backlog: readonly (number | null)[];
  readonly inFlight: readonly number[];
  readonly connections: readonly number[];
  readonly rejected: Readonly<Record<string, readonly number[]>>;
  readonly starts: readonly number[];
  readonly exits: Readonly<Record<string, readonly number[]>>;
  /** By slot. */
  readonly slots: readonly {
    readonly slot: number;
    readonly loopUtilization: readonly (number | null)[];
    readonly loopDelayP99: readonly (number | null)[];
    readonly pssBytes: readonly (number | null)[];
    readonly cpu: readonly (number | null)[];
    readonly gcShare: readonly (number | null)[];
  }[];
}

/** GET /requests: a request in flight. */
export interface InFlightReport {
  readonly pid: number;
  readonly slot: number;
  readonly method: string;
  readonly target: string;
  /** Null where a blocked worker could not be asked. */
  readonly id: string | null;
  readonly remote: string | null;
  readonly age: number;
  /** Bytes received of the request's content, and sent of the response. */
  readonly bytesReceived: number | null;
  readonly bytesSent: number | null;
}

/** GET /config: the settings of the generation that serves. */
export interface ConfigReport {
  readonly generation: number;
  /** The configuration file; null if there is none. */
  readonly file: string | null;
  readonly settings: readonly SettingReport[];
}

export interface SettingReport {
  /** As in a configuration file: `keepAlive`. */
  readonly name: string;
  /** As people write it on the command line: `75s`; "" for none. What may be secret is `***`. */
  readonly value: string;
  readonly source: "default" | "file" | "variable" | "command line";
  /** `--keep-alive`, `WEB_CONCURRENCY in the environment`. */
  readonly origin: string;
  /** Whether a reload can change it; otherwise the server must be started anew. */
  readonly canReload: boolean;
}

/** GET /logs: a line that the arbiter logged, or that a worker wrote to standard error. */
export interface LogReport {
  /** Counts from 1, in the order in which the lines arrived. */
  readonly number: number;
  /** When it arrived, ISO 8601: a line of a worker up to a second after it was written, unless somebody follows. */
  readonly time: string;
  readonly source: "arbiter" | "worker";
  readonly pid: number;
  /** Null for the arbiter. */
  readonly slot: number | null;
  /** The level of an arbiter's line; null for a worker's. */
  readonly level: "debug" | "info" | "warning" | "error" | "critical" | null;
  readonly line: string;
}

/** POST /inject: the response of one worker to one request. */
export interface InjectReport {
  readonly pid: number;
  readonly slot: number;
  readonly status: number;
  /** Names and values, as sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** The content, or its beginning. */
  readonly body: string;
  readonly encoding: "utf8" | "base64";
  /** The size of the whole content. */
  readonly bytes: number;
  /** Whether the content is longer than `body`. */
  readonly isCut: boolean;
  readonly duration: number;
}

/** GET /events: something that happened to the server, newest last. */
export interface EventReport {
  /** Counts from 1. */
  readonly number: number;
  /** ISO 8601. */
  readonly time: string;
  readonly type:
    | "started"
    | "worker-ready"
    | "worker-exit"
    | "worker-stuck"
    | "worker-recovered"
    | "reload"
    | "reload-failed"
    | "reloaded"
    | "upgrade"
    | "scale"
    | "stopping";
  /** One line. */
  readonly message: string;
  readonly pid?: number;
  readonly slot?: number;
  readonly generation?: number;
  readonly reason?: ExitReason;
  /** Time of a worker's boot (`worker-ready`) or of a reload (`reloaded`, `reload-failed`), in milliseconds. */
  readonly duration?: number;
  /** Whether an operator should look at it. */
  readonly isProblem: boolean;
}
