/** The part of the table of metrics that only an arbiter uses: a worker does not load it. */
import type { Metric } from "./metrics.ts";

/** Metrics that an arbiter counts. */
export const ARBITER_METRICS = {
  starts: {
    id: "starts",
    name: "tsgun_worker_starts_total",
    type: "counter",
    help: "Workers that were started.",
    labels: [],
  },
  exits: {
    id: "exits",
    name: "tsgun_worker_exits_total",
    type: "counter",
    help: "Workers that have ended, by reason.",
    labels: ["reason"],
  },
  boot: {
    id: "boot",
    name: "tsgun_worker_boot_seconds",
    type: "histogram",
    help: "Time from the start of a worker until it was ready.",
    labels: [],
    buckets: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 30, 60, 120],
  },
  reloads: {
    id: "reloads",
    name: "tsgun_reloads_total",
    type: "counter",
    help: "Reloads, by outcome.",
    labels: ["outcome"],
  },
  reloadDuration: {
    id: "reloadtime",
    name: "tsgun_reload_duration_seconds",
    type: "histogram",
    help: "Time from a reload's request until its generation served alone, or was abandoned.",
    labels: [],
    buckets: [0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 30, 60, 120, 300],
  },
  upgrades: {
    id: "upgrades",
    name: "tsgun_upgrades_total",
    type: "counter",
    help: "Upgrades, by outcome.",
    labels: ["outcome"],
  },
} as const satisfies Readonly<Record<string, Metric>>;

function gauge<const Labels extends readonly string[]>(name: string, help: string, ...labels: Labels) {
  return { id: name, name, type: "gauge", help, labels } as const;
}

/** Metrics that an arbiter reads when it is asked; on the scoreboard they have no series. */
export const REPORT_METRICS = {
  activeRequests: gauge(
    "http_server_active_requests",
    "Requests in flight.",
    "http_request_method",
    "url_scheme",
  ),
  connections: gauge("tsgun_connections", "Open connections: active, idle or upgraded.", "slot", "state"),
  backlog: gauge("tsgun_listener_backlog", "Connections that wait to be accepted.", "address"),
  backlogLimit: gauge(
    "tsgun_listener_backlog_limit",
    "How many connections may wait to be accepted.",
    "address",
  ),
  workers: gauge("tsgun_workers", "Workers, by state: booting, ready, draining or stuck.", "state"),
  workersWanted: gauge("tsgun_workers_wanted", "Workers that should be ready."),
  generation: gauge("tsgun_generation", "The generation that serves; each reload begins one."),
  lastReloadSuccessful: gauge(
    "tsgun_last_reload_successful",
    "Whether the last reload succeeded; 1 as long as there was none.",
  ),
  lastReloadSuccess: gauge(
    "tsgun_last_reload_success_timestamp_seconds",
    "When a reload, or the start, succeeded last.",
  ),
  arbiterLoopDelay: gauge(
    "tsgun_arbiter_loop_delay_seconds",
    "How late the arbiter's event loop ran its timers in the last second, 99th percentile.",
  ),
  startTime: gauge("tsgun_start_time_seconds", "When the server started, upgrades not counted."),
  certificateEnd: gauge(
    "tsgun_certificate_not_after_seconds",
    "When a certificate of --certfile ends, in seconds since 1970.",
    "file",
  ),
  memoryLimit: gauge("tsgun_memory_limit_bytes", "Memory that the control group allows to all processes."),
  info: gauge("tsgun_info", "Always 1; the labels tell about the server.", "version", "node", "app"),
  loopUtilization: gauge(
    "nodejs_eventloop_utilization",
    "Share of the last seconds in which the worker's event loop was busy.",
    "slot",
  ),
  loopDelayP50: gauge("nodejs_eventloop_delay_p50_seconds", "How late timers ran, median.", "slot"),
  loopDelayP90: gauge("nodejs_eventloop_delay_p90_seconds", "How late timers ran, 90th percentile.", "slot"),
  loopDelayP99: gauge("nodejs_eventloop_delay_p99_seconds", "How late timers ran, 99th percentile.", "slot"),
  loopDelayMax: gauge("nodejs_eventloop_delay_max_seconds", "How late timers ran at most.", "slot"),
  gc: {
    id: "gc",
    name: "v8js_gc_duration_seconds",
    type: "summary",
    help: "Time in garbage collections, by kind: minor, major, incremental or weakcb.",
    labels: ["slot", "v8js_gc_type"],
  },
  heapUsed: gauge("v8js_memory_heap_used_bytes", "V8's heap in use.", "slot"),
  heapLimit: gauge("v8js_memory_heap_limit_bytes", "The size that V8's heap may have.", "slot"),
  external: gauge("nodejs_external_memory_bytes", "Memory of objects outside of V8's heap.", "slot"),
  rss: gauge("process_resident_memory_bytes", "Resident memory.", "slot"),
  pss: gauge("tsgun_worker_pss_bytes", "Proportional memory: shared pages are divided.", "slot"),
  requestsWaiting: gauge(
    "tsgun_worker_requests_waiting",
    "Requests that wait for a place of --max-in-flight.",
    "slot",
  ),
  openDescriptors: gauge("process_open_fds", "Open file descriptors.", "slot"),
} as const satisfies Readonly<Record<string, Metric>>;

/**
 * Metrics that an arbiter keeps of the vitals of workers that have ended, so that what is cumulative stays so. The
 * series of a slot has several values, in the order of `SLOT_VALUES`.
 */
export const FOLDED_METRICS = {
  connections: {
    id: "conn",
    name: "tsgun_connections_total",
    type: "counter",
    help: "Connections that workers accepted.",
    labels: [],
  },
  slot: {
    id: "slot",
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "CPU time of the workers of a slot.",
    labels: ["slot"],
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** The values of a slot's series: vitals, which are cumulative. */
export const SLOT_VALUES = [
  "cpuUser",
  "cpuSystem",
  "gcMinor",
  "gcMajor",
  "gcIncremental",
  "gcWeakCallback",
  "gcMinorCount",
  "gcMajorCount",
] as const;
