/** Settings for those who run the server: control, health and logs. */
import { choice, flag, pathOrNone, text } from "../kind.ts";
import { address } from "../network-kind.ts";
import { count } from "../number-kind.ts";
import { DEFAULT_SYSLOG, syslogAddress } from "../syslog-address.ts";
import { MOST_WORKERS } from "./processes.ts";
import { setting } from "./setting.ts";

export const operationSettings = {
  controlSocket: setting({
    section: "Control",
    kind: pathOrNone,
    default: undefined,
    negatable: "Open no control socket.",
    reload: false,
    doc: "Where tsgun ctl reaches the server. Default: tsgun-PID.ctl in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/tsgun or a folder of the user's among the temporary files.",
  }),
  adminBind: setting({
    section: "Control",
    kind: address,
    default: undefined,
    reload: false,
    doc: "Where the arbiter answers /health/live and /health/ready, though every worker may be busy. Off by default.",
  }),
  minReady: setting({
    section: "Control",
    kind: count(0, MOST_WORKERS),
    default: 1,
    reload: false,
    doc: "How many workers must be ready for /health/ready to say so.",
  }),
  accessLogfile: setting({
    section: "Logging",
    kind: pathOrNone,
    default: false,
    negatable: "Write no access log.",
    reload: true,
    doc: "The file that the access log is appended to, a line for each request; - is the standard output. USR1 and a reload open it anew. Off by default.",
  }),
  accessLogformat: setting({
    section: "Logging",
    kind: text("FORMAT"),
    default: "combined",
    reload: true,
    doc: "The format of the access log: common, combined, json, or a text with atoms such as %(h)s.",
  }),
  errorLogfile: setting({
    section: "Logging",
    kind: text("FILE"),
    default: "-",
    flags: ["--log-file"],
    reload: true,
    doc: "The file that the error log is appended to; - is the standard error. USR1 and a reload open it anew.",
  }),
  logFormat: setting({
    section: "Logging",
    kind: choice("text", "json"),
    default: "text",
    reload: true,
    doc: "The error log as text, in gunicorn's form, coloured on a terminal, or as JSON, one object on a line.",
  }),
  logLevel: setting({
    section: "Logging",
    kind: choice("debug", "info", "warning", "error", "critical"),
    default: "info",
    reload: true,
    doc: "The least important messages to log.",
  }),
  captureOutput: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Write what the workers' JavaScript prints (console, process.stdout and process.stderr) to the error log. Output of native code and of child processes that inherited it stays where it is.",
  }),
  logSyslog: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Send the error log to syslog, too, and the access log with it.",
  }),
  disableRedirectAccessToSyslog: setting({
    section: "Logging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Keep the access log out of syslog. Otherwise it goes there with --log-syslog, also when no --access-logfile is named.",
  }),
  logSyslogTo: setting({
    section: "Logging",
    kind: syslogAddress,
    default: DEFAULT_SYSLOG,
    defaultDoc: "`udp://localhost:514`; on macOS and the BSDs the socket where the system listens",
    reload: true,
    doc: "The syslog server: udp://host:port, tcp://host:port, or unix:///dev/log with #dgram or #stream behind it; without either both are tried. Datagrams to a Unix socket need the package koffi.",
  }),
  logSyslogPrefix: setting({
    section: "Logging",
    kind: text("PREFIX"),
    default: undefined,
    reload: true,
    doc: "What stands in the name that syslog entries have, tsgun.PREFIX.error. By default that is --name, if there is one.",
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
