/**
 * The table of metrics: everything that /metrics, statsd, `tsgun top` and the docs say about a metric derives from it.
 * Names follow the OpenTelemetry semantic conventions for HTTP and Node.js where these have one.
 *
 * On the scoreboard a series is named by its key: the metric's id and the values of its labels, in the order of the
 * table, separated by `|`. Values hold no `|`.
 *
 * `arbiter-metrics.ts` has the part of the table that a worker does not load.
 */

export const DURATION_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;
export const QUEUE_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

export interface Metric {
  /** Short: it is part of each key. */
  readonly id: string;
  /** As exposed, with unit and `_total`. */
  readonly name: string;
  /** A summary has a sum and a count, no quantiles. */
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, without +Inf. */
  readonly buckets?: readonly number[];
}

/** Metrics that workers count. */
export const WORKER_METRICS = {
  requestDuration: {
    id: "req",
    name: "http_server_request_duration_seconds",
    type: "histogram",
    help: "Duration of requests, from the head of the request to the end of the response.",
    labels: [
      "http_request_method",
      "http_response_status_code",
      "url_scheme",
      "network_protocol_version",
      "error_type",
      "http_route",
    ],
    buckets: DURATION_BUCKETS,
  },
  queueTime: {
    id: "queue",
    name: "tsgun_queue_time_seconds",
    type: "histogram",
    help: "Time from a trusted X-Request-Start to the call of the app, and with --max-in-flight the time in its queue.",
    labels: [],
    buckets: QUEUE_BUCKETS,
  },
  rejected: {
    id: "rej",
    name: "tsgun_requests_rejected_total",
    type: "counter",
    help: "Requests that the server refused without calling the app.",
    labels: ["reason"],
  },
  connectionErrors: {
    id: "connerr",
    name: "tsgun_connection_errors_total",
    type: "counter",
    help: "Connections that ended with an error.",
    labels: ["reason"],
  },
  logLines: {
    id: "log",
    name: "tsgun_log_lines_total",
    type: "counter",
    help: "Lines that tsgun wrote to the error log, by level from warning on.",
    labels: ["level"],
  },
  logLinesDropped: {
    id: "logdrop",
    name: "tsgun_log_lines_dropped_total",
    type: "counter",
    help: "Log lines that could not be written.",
    labels: ["log"],
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** The values of `error_type`; "" for a request that ended well. */
export const ERROR_TYPES = ["", "timeout", "client_gone", "truncated", "worker_killed"] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

/** The reasons of `tsgun_requests_rejected_total`. */
export const REJECT_REASONS = ["malformed", "limit", "overload", "queue_timeout", "draining"] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** The reasons of `tsgun_worker_exits_total`. */
export const EXIT_REASONS = [
  "reload",
  "scale",
  "max_requests",
  "max_memory",
  "max_lifetime",
  "restart",
  "stuck",
  "crash",
  "heap_oom",
  "killed",
  "boot_failed",
  "upgrade",
  "stop",
] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];
