/** For each alert what raises it, and what nearly does. Series in the notation of `promtool test rules`, one value each 30 s. */

export interface AlertCase {
  readonly alert: string;
  /** Series and their values. */
  readonly ill: Readonly<Record<string, string>>;
  readonly well: Readonly<Record<string, string>>;
  /** When it must have been raised, or not. */
  readonly at: string;
  /** Labels of the raised alert, besides those of the server. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

const SERVER = 'job="shop",instance="a:9000"';

function series(name: string, labels = ""): string {
  return `${name}{${labels === "" ? SERVER : `${SERVER},${labels}`}}`;
}

const ready = series("tsgun_workers", 'state="ready"');
const wanted = series("tsgun_workers_wanted");
const requests = (status: number): string =>
  series("http_server_request_duration_seconds_count", `http_response_status_code="${status}"`);
const exits = (reason: string): string => series("tsgun_worker_exits_total", `reason="${reason}"`);
const queue = (bound: string): string => series("tsgun_queue_time_seconds_bucket", `le="${bound}"`);
const loop = (slot: number): string => series("nodejs_eventloop_utilization", `slot="${slot}"`);
const rejected = (reason: string): string => series("tsgun_requests_rejected_total", `reason="${reason}"`);
const address = 'address="http://0.0.0.0:8000"';

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: "TsgunNoReadyWorker",
    ill: { [ready]: "2x2 0x10" },
    well: { [ready]: "2x2 0 0 1x10" },
    at: "3m",
    summary: "a:9000 has no ready worker",
  },
  {
    alert: "TsgunWorkersMissing",
    ill: { [ready]: "3x20", [wanted]: "4x20" },
    well: { [ready]: "4x3 3x5 4x20", [wanted]: "4x30" },
    at: "7m",
    summary: "a:9000 has 3 ready workers, fewer than it wants",
  },
  {
    alert: "TsgunReloadFailed",
    ill: { [series("tsgun_last_reload_successful")]: "1 1 0x10" },
    well: { [series("tsgun_last_reload_successful")]: "1 0 1x10" },
    at: "2m",
    summary: "The last reload of a:9000 failed",
  },
  {
    alert: "TsgunWorkersCrash",
    ill: { [exits("crash")]: "0x5 2x30", [exits("heap_oom")]: "0x10 3x30", [exits("reload")]: "0x40" },
    well: { [exits("crash")]: "0x5 2x30", [exits("reload")]: "0x5 40x30", [exits("max_requests")]: "0+1x40" },
    at: "10m",
    summary: "5 workers of a:9000 died within 10 minutes",
  },
  {
    alert: "TsgunQueueTime",
    ill: { [queue("0.5")]: "0x30", [queue("1")]: "0+10x30", [queue("+Inf")]: "0+10x30" },
    well: { [queue("0.25")]: "0+10x30", [queue("0.5")]: "0+10x30", [queue("+Inf")]: "0+10x30" },
    at: "12m",
    summary: "Requests wait 995ms for a:9000",
  },
  {
    alert: "TsgunShedsRequests",
    ill: { [rejected("overload")]: "0+60x30", [rejected("queue_timeout")]: "0+30x30" },
    // A burst, a worker that ends, and clients that send malformed requests.
    well: {
      [rejected("overload")]: "0x5 500x30",
      [rejected("draining")]: "0+60x30",
      [rejected("malformed")]: "0+60x30",
    },
    at: "8m",
    summary: "a:9000 answers 3 requests a second with 503",
  },
  {
    alert: "TsgunBacklog",
    ill: {
      [series("tsgun_listener_backlog", address)]: "1600x10",
      [series("tsgun_listener_backlog_limit", address)]: "2048x10",
    },
    well: {
      [series("tsgun_listener_backlog", address)]: "1000x10",
      [series("tsgun_listener_backlog_limit", address)]: "2048x10",
    },
    at: "3m",
    labels: { address: "http://0.0.0.0:8000" },
    summary: "The backlog of http://0.0.0.0:8000 of a:9000 is 78.12% full",
  },
  {
    alert: "TsgunLoopsBusy",
    ill: { [loop(1)]: "0.95x30", [loop(2)]: "0.92x30" },
    well: { [loop(1)]: "1x30", [loop(2)]: "0.2x30" },
    at: "11m",
    summary: "All event loops of a:9000 are busy",
  },
  {
    alert: "TsgunServerErrors",
    ill: { [requests(200)]: "0+96x30", [requests(503)]: "0+4x30" },
    well: { [requests(200)]: "0+995x30", [requests(503)]: "0+5x30", [requests(404)]: "0+500x30" },
    at: "12m",
    summary: "4% of the responses of a:9000 are 5xx",
  },
  {
    alert: "TsgunLogLinesDropped",
    ill: { [series("tsgun_log_lines_dropped_total", 'log="access"')]: "0x4 20x10" },
    well: { [series("tsgun_log_lines_dropped_total", 'log="access"')]: "20x20" },
    at: "4m",
    labels: { log: "access" },
    summary: "a:9000 could not write lines of its access log",
  },
  {
    alert: "TsgunNoMetrics",
    ill: { [series("tsgun_info", 'version="1"')]: "1x4 stale" },
    well: { [series("tsgun_info", 'version="1"')]: "1x40" },
    at: "6m",
    summary: "No server of the job shop tells its metrics",
  },
];
