/** Settings for those who run the server: control, health and logs. */
import { choice, flag, pathOrNone, text, token } from "../kind.ts";
import { address } from "../network-kind.ts";
import { count } from "../number-kind.ts";
import { DEFAULT_SYSLOG, syslogAddress } from "../syslog-address.ts";
import { MAX_WORKERS } from "./processes.ts";
import { setting } from "./setting.ts";

export const operationSettings = {
  controlSocket: setting({
    section: "Control",
    kind: pathOrNone,
    default: undefined,
    negatable: "Open no control socket.",
    reload: false,
    doc: "The socket for tsgun ctl. Default: tsgun-PID.ctl in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/tsgun or a folder of the user in the temporary folder.",
  }),
  adminBind: setting({
    section: "Control",
    kind: address,
    default: undefined,
    reload: false,
    doc: "The address where the arbiter serves /health/live, /health/startup and /health/ready, even if every worker is busy, and the dashboard. Off by default.",
  }),
  dashboard: setting({
    section: "Control",
    kind: flag,
    default: true,
    negatable: "Serve no dashboard.",
    reload: false,
    doc: "Serve the dashboard at /dashboard/ of --admin-bind. Without a token only those see it who connect to a loopback address or a Unix socket themselves.",
  }),
  adminToken: setting({
    section: "Control",
    kind: token,
    default: undefined,
    secret: true,
    reload: false,
    doc: "The token that the dashboard requires, at least 16 characters. Other users of the machine see the command line: write it into the file of --admin-token-file, or into TSGUN_ADMIN_TOKEN, which workers do not get.",
  }),
  adminTokenFile: setting({
    section: "Control",
    kind: text("FILE"),
    default: undefined,
    reload: false,
    doc: "The file that holds the token of the dashboard. It is read at the start, by the user who starts the server.",
  }),
  recordDir: setting({
    section: "Control",
    kind: pathOrNone,
    default: undefined,
    negatable: "Keep no records of the ends of workers.",
    reload: false,
    doc: "The folder for the records that tsgun why reads: why each worker ended. Default: $STATE_DIRECTORY/records, else $XDG_STATE_HOME/tsgun/records or ~/.local/state/tsgun/records, else a folder of the user in the temporary folder.",
  }),
  minReady: setting({
    section: "Control",
    kind: count(0, MAX_WORKERS),
    default: 1,
    reload: false,
    doc: "The number of workers that must be ready for /health/ready to succeed.",
  }),
  metrics: setting({
    section: "Control",
    kind: flag,
    default: true,
    negatable: "Count nothing.",
    reload: false,
    doc: "Count requests, and what each worker uses, in memory that arbiter and workers share. Without it there are no metrics, and the log of a worker's death does not name its requests in flight, unless its event loop was blocked.",
  }),
  metricsCompat: setting({
    section: "Control",
    kind: choice("none", "prom-client"),
    default: "none",
    reload: true,
    doc: "Further names of metrics, for dashboards that exist: prom-client adds those of its default metrics (nodejs_eventloop_lag_p99_seconds, nodejs_heap_size_used_bytes and others), by slot.",
  }),
  accessLogfile: setting({
    section: "Logging",
    kind: pathOrNone,
    default: false,
    negatable: "Write no access log.",
    reload: true,
    doc: "The file that the access log is appended to, one line per request; - is standard output. USR1 and a reload reopen it. Off by default.",
  }),
  accessLogformat: setting({
    section: "Logging",
    kind: text("FORMAT"),
    default: "combined",
    reload: true,
    doc: "The access log's format: common, combined, json, or text with atoms such as %(h)s.",
  }),
  errorLogfile: setting({
    section: "Logging",
    kind: text("FILE"),
    default: "-",
    flags: ["--log-file"],
    reload: true,
    doc: "The file that the error log is appended to; - is standard error. USR1 and a reload reopen it.",
  }),
  logFormat: setting({
    section: "Logging",
    kind: choice("text", "json"),
    default: "text",
    reload: true,
    doc: "The error log's format: text, in gunicorn's form and coloured on a terminal, or json, one object per line.",
  }),
  logLevel: setting({
    section: "Logging",
    kind: choice("debug", "info", "warning", "error", "critical"),
    default: "info",
    reload: true,
    doc: "The lowest level to log.",
  }),
  captureOutput: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Write what the workers' JavaScript prints (console, process.stdout and process.stderr) to the error log. Output of native code and of child processes that inherited the streams is not captured.",
  }),
  logSyslog: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Send the error log to syslog as well, and the access log with it.",
  }),
  disableRedirectAccessToSyslog: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Keep the access log out of syslog. By default --log-syslog sends it there, even without --access-logfile.",
  }),
  logSyslogTo: setting({
    section: "Logging",
    kind: syslogAddress,
    default: DEFAULT_SYSLOG,
    defaultDoc: "`udp://localhost:514`; on macOS and the BSDs the socket where the system listens",
    reload: true,
    doc: "The syslog server: udp://host:port, tcp://host:port, or unix:///dev/log, followed by #dgram or #stream; without either, both are tried. Datagrams to a Unix socket require the package koffi.",
  }),
  logSyslogPrefix: setting({
    section: "Logging",
    kind: text("PREFIX"),
    default: undefined,
    reload: true,
    doc: "The PREFIX in the name of syslog entries, tsgun.PREFIX.error. Default: --name, if it is given.",
  }),
  logSyslogFacility: setting({
    section: "Logging",
    // The names of syslog.conf(5).
    kind: choice(
      ...(["user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6"] as const),
      ...(["local7", "auth", "authpriv", "cron", "ftp", "kern", "lpr", "mail", "news"] as const),
      ...(["security", "syslog", "uucp"] as const),
    ),
    default: "user",
    reload: true,
    doc: "The facility of syslog entries.",
  }),
} as const;
