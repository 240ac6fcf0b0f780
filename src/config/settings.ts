/**
 * The table of all settings. The typed configuration, the command line, the environment and the help are derived from it,
 * so they cannot disagree. A setting is listed only if it works.
 */
import { FORWARDED_FIELDS, LOCAL_PEERS } from "../gateway/proxies.ts";
import type { Address } from "./address.ts";
import {
  choice,
  configSource,
  count,
  countOrAuto,
  crashLimit,
  duration,
  durationOrNone,
  fileMode,
  flag,
  globs,
  type Kind,
  pathOrNone,
  pidFile,
  size,
  text,
  variables,
} from "./kind.ts";
import { address, addresses, forwardedFields, peers, rootPath, urlPath } from "./network-kind.ts";
import { DEFAULT_SYSLOG, syslogAddress } from "./syslog-address.ts";

export interface Setting<T, Input = unknown> {
  readonly section: Section;
  readonly kind: Kind<T, Input>;
  readonly default: T;
  /** Text for documentation of a default that depends on the system. */
  readonly defaultDoc?: string;
  /** Flags besides the one derived from the name (`keepAlive` → `--keep-alive`): a short flag, an older name. */
  readonly flags?: readonly string[];
  /** Environment variables besides `TSGUN_<NAME>`, which takes precedence. */
  readonly environment?: readonly string[];
  /** `--no-NAME` sets it to false. The text says what that does, for the help. */
  readonly negatable?: string;
  /** A positional argument on the command line, not a flag. */
  readonly positional?: boolean;
  /** Cannot be set in a configuration file, because it locates that file or says what to do with it. */
  readonly outsideFile?: boolean;
  /** Whether HUP can change it. Settings of the arbiter and its sockets need a restart. */
  readonly reload: boolean;
  /** Describes the effect in one or two sentences. */
  readonly doc: string;
}

/** The headings of the help, in order. */
export const SECTIONS = [
  "Config file",
  "Application",
  "Server socket",
  "Proxies",
  "Workers",
  "Process",
  "Debugging",
  "Limits",
  "Timeouts",
  "Logging",
  "Control",
] as const;
export type Section = (typeof SECTIONS)[number];

/** A table entry: the default is one of the kind's values, or undefined for none. */
type Entry<T, Input, Default> = Omit<Setting<T, Input>, "kind" | "default"> & {
  readonly kind: Kind<T, Input>;
  readonly default: Default;
};

/** Infers the type of a table entry. */
function setting<T, Input = unknown, const Default extends T | undefined = T>(
  entry: Entry<T, Input, Default>,
): Setting<T | (undefined extends Default ? undefined : never), Input> {
  return entry as Setting<T | (undefined extends Default ? undefined : never), Input>;
}

/** Maximum number of workers, from any source: each is a process that the arbiter starts, listens to and reaps. */
export const MOST_WORKERS = 1024;

const LOOPBACK: Address = { kind: "tcp", host: "127.0.0.1", port: 8000 };

export const settings = {
  config: setting({
    section: "Config file",
    kind: configSource,
    default: undefined,
    flags: ["-c"],
    negatable: "Read no configuration file.",
    outsideFile: true,
    reload: false,
    doc: "The configuration file: a path, file:PATH or module:NAME. Without it tsgun.config.{ts,mts,js,mjs,cjs,json}, if there is one in the folder where the command is started.",
  }),
  checkConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Check the configuration, load the application in a process that is thrown away, say what was found, and end: with 0, or with the exit code that the server would end with.",
  }),
  printConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Print every setting with its value and where that comes from, and end. What looks like a secret is hidden.",
  }),
  app: setting({
    section: "Application",
    kind: text("APP"),
    default: undefined,
    positional: true,
    reload: true,
    doc: 'The application: module:name, path/to/file.ts:name, or module:create("production").',
  }),
  interface: setting({
    section: "Application",
    kind: choice("auto", "gateway", "fetch", "node"),
    default: "auto",
    reload: true,
    doc: "What the application is: a gateway handler, a fetch app or a node listener. auto looks at it.",
  }),
  preload: setting({
    section: "Application",
    kind: flag,
    default: false,
    reload: true,
    doc: "Load the application in a process that is thrown away before any worker is started, at the start and on reload: one that is broken costs no worker, and Node's compile cache is warm. With --reload, which waits for a broken one to be mended, only the cache is used.",
  }),
  chdir: setting({
    section: "Application",
    kind: text("DIR"),
    default: undefined,
    reload: false,
    doc: "Go to this folder before the application is looked for. A symbolic link is followed anew on reload.",
  }),
  env: setting({
    section: "Application",
    kind: variables,
    default: undefined,
    flags: ["-e"],
    reload: true,
    doc: "A variable for the workers' environment: NAME=VALUE. May be given several times.",
  }),
  bind: setting({
    section: "Server socket",
    kind: addresses,
    default: [LOOPBACK],
    flags: ["-b"],
    reload: false,
    doc: "Where to listen: host:port, [::1]:port, :port or unix:/path. May be given several times. Where the variable PORT is set, 0.0.0.0:PORT is the default.",
  }),
  backlog: setting({
    section: "Server socket",
    kind: count(1, 65535),
    default: 2048,
    reload: false,
    doc: "How many connections may wait to be accepted. The system has a limit of its own (net.core.somaxconn).",
  }),
  reusePort: setting({
    section: "Server socket",
    kind: flag,
    default: false,
    reload: false,
    doc: "Let several servers bind the same TCP address (SO_REUSEPORT), each with its own workers; the kernel shares connections out among the servers. It takes Node 22.12, or the package koffi.",
  }),
  socketMode: setting({
    section: "Server socket",
    kind: fileMode,
    default: undefined,
    reload: false,
    doc: "The mode of a Unix socket, such as 660. Without it, what the umask leaves; to connect takes write permission.",
  }),
  socketOwner: setting({
    section: "Server socket",
    kind: text("USER[:GROUP]"),
    default: undefined,
    reload: false,
    doc: "Who owns a Unix socket. Without it, the workers' user and group, where --user or --group is given.",
  }),
  forwardedAllowIps: setting({
    section: "Proxies",
    kind: peers,
    default: LOCAL_PEERS,
    environment: ["FORWARDED_ALLOW_IPS"],
    reload: true,
    doc: "The proxies whose X-Forwarded-For and its kin are believed: addresses, CIDRs, unix for whoever comes by a Unix socket, * for everybody, none. For gateway and fetch apps; frameworks have a setting of their own.",
  }),
  forwardedHeaders: setting({
    section: "Proxies",
    kind: forwardedFields,
    default: FORWARDED_FIELDS,
    reload: true,
    doc: "The fields that these proxies set or remove themselves; in any other the client says what it likes. Forwarded is read only in requests that have no X-Forwarded-For, -Proto, -Host or -Port of this list.",
  }),
  rootPath: setting({
    section: "Proxies",
    kind: rootPath,
    default: "",
    reload: true,
    doc: "The path under which a proxy mounts the application, such as /app, where no X-Forwarded-Prefix says it. For gateway and fetch apps.",
  }),
  workers: setting({
    section: "Workers",
    kind: countOrAuto(1, MOST_WORKERS),
    default: 1,
    flags: ["-w"],
    environment: ["WEB_CONCURRENCY"],
    reload: true,
    doc: "How many worker processes serve the application; auto is as many as there are CPUs for this process, by its control group's quota too.",
  }),
  workerConnections: setting({
    section: "Workers",
    kind: count(0),
    default: 1000,
    reload: true,
    doc: "How many connections a worker has at once, idle ones and WebSockets included. With as many it accepts no more until one closes, and lets clients go behind their answers; the other workers accept meanwhile, and the backlog holds the rest. 0 is no limit.",
  }),
  maxRequests: setting({
    section: "Workers",
    kind: count(0),
    default: 0,
    reload: true,
    doc: "After how many answers a worker is replaced, by one that is ready before the old one goes. 0 is never.",
  }),
  maxRequestsJitter: setting({
    section: "Workers",
    kind: count(0),
    default: 0,
    reload: true,
    doc: "Each worker answers up to so many requests more, by chance, so that not all are replaced at once.",
  }),
  maxMemory: setting({
    section: "Workers",
    kind: size(),
    default: 0,
    reload: true,
    doc: "With how much resident memory, such as 512MB, a worker is replaced, at most once a minute in each place. 0 is any.",
  }),
  maxLifetime: setting({
    section: "Workers",
    kind: duration(),
    default: 0,
    reload: true,
    doc: "After how long a worker is replaced. 0 is never.",
  }),
  maxLifetimeJitter: setting({
    section: "Workers",
    kind: duration(),
    default: 0,
    reload: true,
    doc: "Each worker lives up to so much longer, by chance.",
  }),
  reloadSurge: setting({
    section: "Workers",
    kind: count(1, MOST_WORKERS),
    default: 1,
    reload: false,
    doc: "How many workers there may be beyond the number wanted while a reload replaces them.",
  }),
  crashLimit: setting({
    section: "Workers",
    kind: crashLimit,
    default: undefined,
    reload: true,
    doc: "How many workers may die within how long, as in 5/60s, before the server stops with exit code 3, for whoever started it to see. Without it a server that has served goes on trying.",
  }),
  warmupPath: setting({
    section: "Workers",
    kind: urlPath,
    default: undefined,
    reload: true,
    doc: "Each new worker asks itself for this path and counts as ready only when the answer is 2xx.",
  }),
  daemon: setting({
    section: "Process",
    kind: flag,
    default: false,
    flags: ["-D"],
    reload: false,
    doc: "Go to the background once the server serves; what goes wrong until then is the command's own error. What is logged to the standard error is lost: name an --error-logfile.",
  }),
  upgradeMode: setting({
    section: "Process",
    kind: choice("auto", "manual"),
    default: "auto",
    reload: true,
    doc: "After USR2, when the workers of the new server are ready: the old one drains and quits, or waits to be sent WINCH, QUIT or TERM.",
  }),
  name: setting({
    section: "Process",
    kind: text("NAME"),
    default: undefined,
    flags: ["-n", "--proc-name"],
    reload: false,
    doc: "What ps and top show in brackets: tsgun: arbiter [NAME]. Without it, the application.",
  }),
  pid: setting({
    section: "Process",
    kind: pidFile,
    default: undefined,
    flags: ["-p"],
    reload: false,
    doc: "A file for the arbiter's process id. It stays the arbiter's own, also with --user. A stale one is replaced, one of a server that runs is an error.",
  }),
  user: setting({
    section: "Process",
    kind: text("USER"),
    default: undefined,
    flags: ["-u"],
    reload: false,
    doc: "Whom the workers become, by name or number. The arbiter, which runs nothing of the application, stays who it is, so that it can bind, reload and stop.",
  }),
  group: setting({
    section: "Process",
    kind: text("GROUP"),
    default: undefined,
    flags: ["-g"],
    reload: false,
    doc: "The workers' group, by name or number. Without it, the user's own.",
  }),
  initgroups: setting({
    section: "Process",
    kind: flag,
    default: false,
    reload: false,
    doc: "Give the workers the supplementary groups of their user, too.",
  }),
  umask: setting({
    section: "Process",
    kind: fileMode,
    default: undefined,
    flags: ["-m"],
    reload: false,
    doc: "The umask of all processes, in octal: bits that the files they make do not get. Without it, the inherited one.",
  }),
  reload: setting({
    section: "Debugging",
    kind: flag,
    default: false,
    reload: false,
    doc: "Reload when a file changes that the application has loaded, or may need, such as its package.json. For development.",
  }),
  reloadEngine: setting({
    section: "Debugging",
    kind: choice("auto", "poll"),
    default: "auto",
    reload: false,
    doc: "How changed files are found: auto has the system report them, poll looks at each, which also works on network file systems and in containers that share a folder.",
  }),
  reloadExtraFile: setting({
    section: "Debugging",
    kind: globs,
    default: undefined,
    reload: false,
    doc: "A file, folder or glob to watch besides, such as .env or 'views/**/*.html'. May be given several times.",
  }),
  showErrors: setting({
    section: "Debugging",
    kind: flag,
    default: false,
    reload: true,
    doc: "Answer with the error and its stack when the application fails. For development only: it tells strangers about your code.",
  }),
  limitRequestLine: setting({
    section: "Limits",
    kind: count(0, 65535),
    // nginx's default limit (large_client_header_buffers 4 8k); gunicorn's is 4094.
    default: 8190,
    reload: true,
    doc: "The longest request line, in bytes; a longer one is answered with 414. 0 is no limit.",
  }),
  limitRequestFields: setting({
    section: "Limits",
    kind: count(1, 32768),
    default: 100,
    reload: true,
    doc: "The most header fields of a request; more are answered with 431.",
  }),
  limitRequestFieldSize: setting({
    section: "Limits",
    kind: size(),
    // nginx joins all cookies of an HTTP/2 request into one field, up to 32 kB; gunicorn's default is 8190.
    default: 32_768,
    flags: ["--limit-request-field_size"],
    reload: true,
    doc: "The longest header field, in bytes; a longer one is answered with 431. 0 is no limit.",
  }),
  limitRequestBody: setting({
    section: "Limits",
    kind: size(),
    default: 0,
    reload: true,
    doc: "The most content of a request, such as 10MB; more is answered with 413. 0 is no limit.",
  }),
  headerTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a client may take to send the head of a request, before it is answered with 408. 0 is no limit.",
  }),
  bodyTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 60_000,
    reload: true,
    doc: "How long the content of a request may stand still while it is read, and an answer while the client takes nothing of it. 0 is no limit.",
  }),
  bodyTotalTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: true,
    doc: "How long a client may take to send all the content of a request, before it is answered with 408. Time in which the application does not read does not count. 0 is no limit.",
  }),
  bodyMinRate: setting({
    section: "Timeouts",
    kind: size(),
    default: 240,
    reload: true,
    doc: "How many bytes a second the content of a request must come with while it is read, on average over --body-timeout; slower is answered with 408. 0 is any: for clients that stream a little at a time.",
  }),
  requestTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    // The same as gunicorn's worker, and less than a proxy in front waits (nginx: 60s), so that the server, which knows
    // what took so long, responds first and logs it.
    default: 30_000,
    reload: true,
    doc: "How long the application may take from the whole request to the head of its answer, before the client gets 503 and the application is told. A stream that has begun is not cut. 0 is no limit.",
  }),
  keepAlive: setting({
    section: "Timeouts",
    kind: duration(),
    default: 75_000,
    reload: true,
    doc: "How long an idle connection is kept. More than a proxy in front keeps it (nginx: 60s). 0 keeps none.",
  }),
  timeout: setting({
    section: "Timeouts",
    kind: durationOrNone(1000),
    default: 30_000,
    flags: ["-t"],
    reload: true,
    doc: "How long a worker's event loop may stand still before the worker is killed; where it stands is logged after half of that. 0 lets it stand for ever.",
  }),
  bootTimeout: setting({
    section: "Timeouts",
    kind: duration(1),
    default: 60_000,
    reload: true,
    doc: "How long a worker may take to load the application and start it, and a hook of the arbiter that is awaited.",
  }),
  gracefulTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a worker that is told to stop may finish what it has. What is left then is cut, and the app has 5 s to shut down before the worker is killed.",
  }),
  drainDelay: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: false,
    doc: "How long the server serves on after TERM, saying that it is not ready, before it drains. For load balancers that take a while to look.",
  }),
  linger: setting({
    section: "Timeouts",
    kind: duration(),
    default: 1500,
    reload: true,
    doc: "How long a stopping worker still answers on idle connections, for a proxy that is just reusing one.",
  }),
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

export type SettingName = keyof typeof settings;

/** The configuration: every setting with its value. Durations are milliseconds, sizes are bytes. */
export type Config = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer T> ? T : never;
};

export const SETTING_NAMES = Object.keys(settings) as SettingName[];

/** `keepAlive` → `keep-alive`: the name for users, and the flag without its dashes. */
export function settingLabel(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The environment variables that set it; the first one present wins. */
export function environmentNames(name: SettingName): string[] {
  const own = `TSGUN_${settingLabel(name).toUpperCase().replaceAll("-", "_")}`;
  return [own, ...((settings[name] as Setting<unknown>).environment ?? [])];
}
