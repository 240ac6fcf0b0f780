/** Writes what Prometheus needs: where to ask the server, and when to raise an alarm. */
import { formatAddress, reachable } from "../../config/address.ts";
import { CONTAINER, type Deployment } from "./deployment.ts";
import { CRASHES, METRICS, OVERLOAD, PromQl, SERVER_ERRORS } from "./promql.ts";

interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it must hold; undefined for at once. */
  readonly lasts?: string;
  readonly severity: "critical" | "warning";
  readonly summary: string;
  /** The advice: commands to run, and where to look. */
  readonly description: string;
}

/** Labels by which servers are told apart. */
const SERVER = "job, instance";

/** @param job the name of the job that asks the servers */
function alerts(job: string): readonly Alert[] {
  const all = new PromQl(`job="${job}"`, "5m");
  const m = METRICS;
  const requests = `sum by (${SERVER}) (${all.rate(m.requestDuration)})`;
  const serverErrors = `sum by (${SERVER}) (${all.rate(m.requestDuration, SERVER_ERRORS)})`;
  const ready = `sum by (${SERVER}) (${all.series(m.workers, 'state="ready"')})`;
  return [
    {
      name: "TsgunNoReadyWorker",
      expr: `${ready} == 0`,
      lasts: "1m",
      severity: "critical",
      summary: "{{ $labels.instance }} has no ready worker",
      description: "Requests wait or fail. Run tsgun why, and tsgun ctl status.",
    },
    {
      name: "TsgunWorkersMissing",
      expr: `${ready} < sum by (${SERVER}) (${all.series(m.workersWanted)})`,
      lasts: "5m",
      severity: "warning",
      summary: "{{ $labels.instance }} has {{ $value }} ready workers, fewer than it wants",
      description: "Workers crash, hang or cannot start. Run tsgun ctl workers, and tsgun why.",
    },
    {
      name: "TsgunReloadFailed",
      expr: `${all.series(m.lastReloadSuccessful)} == 0`,
      severity: "warning",
      summary: "The last reload of {{ $labels.instance }} failed",
      description: "The release before serves. The log has the reason.",
    },
    {
      name: "TsgunWorkersCrash",
      expr: `sum by (${SERVER}) (${all.increase(m.exits, CRASHES, "10m")}) > 3`,
      severity: "warning",
      summary: "{{ $value | humanize }} workers of {{ $labels.instance }} died within 10 minutes",
      description: "Run tsgun why.",
    },
    {
      name: "TsgunQueueTime",
      expr: `${all.quantile(0.99, m.queueTime, SERVER.split(", "))} > 0.5`,
      lasts: "5m",
      severity: "warning",
      summary: "Requests wait {{ $value | humanizeDuration }} for {{ $labels.instance }}",
      description:
        "The 99th percentile of the time between the proxy and the app. Add workers, or find what blocks them.",
    },
    {
      name: "TsgunShedsRequests",
      expr: `sum by (${SERVER}) (${all.rate(m.rejected, OVERLOAD, "2m")}) > 0`,
      lasts: "5m",
      severity: "warning",
      summary: "{{ $labels.instance }} answers {{ $value | humanize }} requests a second with 503",
      description:
        "More requests come than --max-in-flight and its queue allow. Add workers or machines, or find what is slow: tsgun ctl requests.",
    },
    {
      name: "TsgunBacklog",
      expr: `${all.series(m.backlog)} / ${all.series(m.backlogLimit)} > 0.5`,
      lasts: "1m",
      severity: "warning",
      summary:
        "The backlog of {{ $labels.address }} of {{ $labels.instance }} is {{ $value | humanizePercentage }} full",
      description: "Connections are not accepted as fast as they come. A full backlog refuses them.",
    },
    {
      name: "TsgunLoopsBusy",
      expr: `min by (${SERVER}) (${all.series(m.loopUtilization)}) > 0.9`,
      lasts: "10m",
      severity: "warning",
      summary: "All event loops of {{ $labels.instance }} are busy",
      description: "Add workers or machines, or run tsgun ctl profile to see what they do.",
    },
    {
      name: "TsgunServerErrors",
      expr: `${serverErrors} / ${requests} > 0.01`,
      lasts: "5m",
      severity: "critical",
      summary: "{{ $value | humanizePercentage }} of the responses of {{ $labels.instance }} are 5xx",
      description: "The error log has the errors of the app.",
    },
    {
      name: "TsgunLogLinesDropped",
      expr: `sum by (${SERVER}, log) (${all.increase(m.logLinesDropped, "", "10m")}) > 0`,
      severity: "warning",
      summary: "{{ $labels.instance }} could not write lines of its {{ $labels.log }} log",
      description: "The disk is full, or who reads the log is too slow.",
    },
    {
      name: "TsgunNoMetrics",
      expr: `absent(${all.series(m.info)})`,
      lasts: "2m",
      severity: "critical",
      summary: `No server of the job ${job} tells its metrics`,
      description: "The server is down, or Prometheus cannot reach its --admin-bind.",
    },
  ];
}

/** A scalar of YAML, in the quotes that leave it readable. */
function quoted(text: string): string {
  return text.includes('"') && !text.includes("'") ? `'${text}'` : JSON.stringify(text);
}

function rule({ name, expr, lasts, severity, summary, description }: Alert): string {
  return `      - alert: ${name}
        expr: ${quoted(expr)}${lasts === undefined ? "" : `\n        for: ${lasts}`}
        labels:
          severity: ${severity}
        annotations:
          summary: ${quoted(summary)}
          description: ${quoted(description)}
`;
}

export function rulesFileName({ name }: Deployment): string {
  return `${name}.rules.yml`;
}

/** Alert rules for Prometheus. */
export function prometheusRules({ name }: Deployment): string {
  return `# Alerts for ${name}. promtool check rules ${name}.rules.yml; then name it in rule_files of prometheus.yml.
groups:
  - name: tsgun-${name}
    rules:
${alerts(name).map(rule).join("")}`;
}

/** The part of a Prometheus configuration that asks the server; it runs as it is. */
export function prometheusConfig(deployment: Deployment): string {
  const { name, config } = deployment;
  const { adminBind } = config;
  const target =
    adminBind?.kind === "tcp" ? formatAddress(reachable(adminBind)) : `127.0.0.1:${CONTAINER.healthPort}`;
  const hint =
    adminBind?.kind === "tcp"
      ? ""
      : `\n      # Give tsgun --admin-bind ${target}; Prometheus cannot ask a Unix socket.`;
  return `# prometheus --config.file=prometheus.yml
rule_files: [${quoted(rulesFileName(deployment))}]
scrape_configs:
  - job_name: ${quoted(name)}
    scrape_interval: 10s
    static_configs:${hint}
      - targets: [${quoted(target)}]
`;
}
