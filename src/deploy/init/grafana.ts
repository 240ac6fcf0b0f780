/** Writes the Grafana dashboard: what is on it, in the order in which an operator looks. */
import type { Deployment } from "./deployment.ts";
import { annotation, charts, type Panel, placed, stat, type Target, variables } from "./grafana-model.ts";
import { CRASHES, METRICS, PromQl, SERVER_ERRORS } from "./promql.ts";

const all = new PromQl('job="$job",instance=~"$instance"', "$__rate_interval");

/** Latencies at three percentiles. */
function percentiles(metric: (typeof METRICS)["requestDuration" | "queueTime" | "boot"]): Target[] {
  return [0.5, 0.9, 0.99].map((share) => ({ expr: all.quantile(share, metric), legend: `p${share * 100}` }));
}

const BY_SLOT = "{{instance}} slot {{slot}}";

function bySlot(expr: string): Target[] {
  return [{ expr: `sum by (instance, slot) (${expr})`, legend: BY_SLOT }];
}

/** Requests by class of status; those that got no response have a class of their own. */
function byClass(): string {
  const classes = `label_replace(${all.rate(METRICS.requestDuration)}, "class", "\${1}xx", "http_response_status_code", "([1-5])..")`;
  return `sum by (class) (label_replace(${classes}, "class", "no response", "http_response_status_code", ""))`;
}

function stateStrip(): Panel[] {
  const { workers, workersWanted, generation, lastReloadSuccessful, lastReloadSuccess } = METRICS;
  return [
    stat("Ready", `sum(${all.series(workers, 'state="ready"')})`, { lowIsBad: 1 }),
    stat("Wanted", `sum(${all.series(workersWanted)})`),
    stat("Stuck", `sum(${all.series(workers, 'state="stuck"')})`, { highIsBad: 1 }),
    stat("Generation", `max(${all.series(generation)})`),
    stat("Last reload", `min(${all.series(lastReloadSuccessful)})`, {
      lowIsBad: 1,
      texts: { 0: "failed", 1: "succeeded" },
    }),
    stat("Since the last successful reload", `time() - max(${all.series(lastReloadSuccess)})`, { unit: "s" }),
  ];
}

function requestPanels(): Panel[] {
  const { requestDuration, queueTime, backlog, backlogLimit, activeRequests, connections, requestsWaiting } =
    METRICS;
  const requests = `sum(${all.rate(requestDuration)})`;
  return [
    charts("Requests by class of status", "reqps", [{ expr: byClass(), legend: "{{class}}" }], {
      stacked: true,
    }),
    charts("Share of errors", "percentunit", [
      {
        expr: `(sum(${all.rate(requestDuration, SERVER_ERRORS)}) or vector(0)) / ${requests}`,
        legend: "5xx",
      },
      {
        expr: `sum by (error_type) (${all.rate(requestDuration, 'error_type!=""')}) / on () group_left () ${requests}`,
        legend: "{{error_type}}",
      },
    ]),
    charts("Duration", "s", percentiles(requestDuration)),
    charts("Durations", "s", [{ expr: all.buckets(requestDuration), legend: "{{le}}" }], { heatmap: true }),
    charts(
      "Queue time",
      "s",
      percentiles(queueTime),
      {},
      "From X-Request-Start, which nginx sets, to the call of the app.",
    ),
    charts("Connections that wait to be accepted", "short", [
      { expr: `sum by (address) (${all.series(backlog)})`, legend: "{{address}}" },
      {
        expr: `max by (address) (${all.series(backlogLimit)})`,
        legend: "limit of {{address}}",
        isLimit: true,
      },
    ]),
    charts("Requests in flight", "short", [
      {
        expr: `sum by (http_request_method) (${all.series(activeRequests)})`,
        legend: "{{http_request_method}}",
      },
      { expr: `sum(${all.series(requestsWaiting)}) > 0`, legend: "waiting for a place (--max-in-flight)" },
    ]),
    charts("Connections", "short", [
      { expr: `sum by (state) (${all.series(connections)})`, legend: "{{state}}" },
    ]),
  ];
}

function workerPanels(): Panel[] {
  const { loopUtilization, loopDelayP99, pss, memoryLimit, slot, gc } = METRICS;
  return [
    charts("Event loop use", "percentunit", bySlot(all.series(loopUtilization))),
    charts("Event loop delay, p99", "s", bySlot(all.series(loopDelayP99))),
    charts("Memory (PSS)", "bytes", [
      ...bySlot(all.series(pss)),
      { expr: `max(${all.series(memoryLimit)})`, legend: "limit of the control group", isLimit: true },
    ]),
    charts("CPU time", "percentunit", bySlot(all.rate(slot))),
    charts("Share of garbage collection", "percentunit", bySlot(all.sumRate(gc))),
  ];
}

function lifePanels(): Panel[] {
  const { starts, exits, rejected, boot, reloadDuration } = METRICS;
  return [
    charts(
      "Worker starts and exits",
      "short",
      [
        { expr: `sum(${all.increase(starts)})`, legend: "starts" },
        { expr: `sum by (reason) (${all.increase(exits)}) > 0`, legend: "{{reason}}" },
      ],
      { bars: true },
    ),
    charts("Requests refused", "reqps", [
      { expr: `sum by (reason) (${all.rate(rejected)})`, legend: "{{reason}}" },
    ]),
    charts("Boot and reload", "s", [
      { expr: all.quantile(0.9, boot), legend: "boot of a worker, p90" },
      { expr: all.quantile(0.9, reloadDuration), legend: "reload, p90" },
    ]),
  ];
}

/** The dashboard as JSON, for Grafana 10 and later: import it, or put it into a folder that Grafana is provisioned from. */
export function grafanaDashboard({ name }: Deployment): string {
  const { reloads, upgrades, exits, info } = METRICS;
  const dashboard = {
    title: `tsgun: ${name}`,
    uid: dashboardId(name),
    tags: ["tsgun"],
    editable: true,
    graphTooltip: 1,
    schemaVersion: 39,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    templating: { list: variables(info.name, name) },
    annotations: {
      list: [
        annotation("Reload", "blue", `sum by (instance, outcome) (${all.increase(reloads)}) > 0`),
        annotation("Upgrade", "purple", `sum by (instance, outcome) (${all.increase(upgrades)}) > 0`),
        annotation("Crash", "red", `sum by (instance, reason) (${all.increase(exits, CRASHES)}) > 0`),
      ],
    },
    panels: placed([...stateStrip(), ...requestPanels(), ...workerPanels(), ...lifePanels()]),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

/** Grafana takes 8 to 40 characters. */
function dashboardId(name: string): string {
  return `tsgun-${name.replaceAll(/[^\w-]/g, "-")}`.slice(0, 40).padEnd(8, "-");
}
