/**
 * gunicorn 26 settings that tsgun lacks, with the reason and an alternative. Each is refused with a one-line error; none is
 * accepted and ignored. The names are those of gunicorn's settings page.
 */

export interface AbsentSetting {
  /** gunicorn's name in a configuration file. */
  readonly name: string;
  readonly flags: readonly string[];
  /** Why tsgun lacks it, as a clause. */
  readonly why: string;
  /** The alternative, as a clause. */
  readonly instead: string;
}

function absent(name: string, flags: string, why: string, instead: string): AbsentSetting {
  return { name, flags: flags.split(" ").filter(Boolean), why, instead };
}

const NO_PYTHON = "it applies to Python only";
const STRICT = "the parser is always strict, against request smuggling";
const STRICT_INSTEAD = "fix the client, or put nginx in front";
const NO_DIRTY = "there are no dirty workers: awaiting does not block the event loop";
const DIRTY_INSTEAD = "use node:worker_threads or a job queue for heavy work";
const NO_UWSGI = "tsgun speaks HTTP only";
const UWSGI_INSTEAD = "use proxy_pass in nginx";
const PINO = "pino writes the log";
const LOG_INSTEAD = "use --log-format, --log-level and --error-logfile";

export const ABSENT_SETTINGS: readonly AbsentSetting[] = [
  absent(
    "worker_class",
    "-k --worker-class",
    "there is one kind of worker, an event loop",
    "leave it out; --interface sets the kind of app",
  ),
  absent("threads", "--threads", "a worker serves many requests at once on one event loop", "use --workers"),
  absent(
    "worker_tmp_dir",
    "--worker-tmp-dir",
    "heartbeats go through a pipe and touch no file",
    "leave it out",
  ),
  absent("tmp_upload_dir", "", "the server stores no uploads", "read request.body as a stream"),
  absent("spew", "--spew", "Node cannot trace lines", "use node --inspect, or node --cpu-prof"),
  absent("sendfile", "--no-sendfile", "Node has no sendfile", "let nginx serve files"),
  absent(
    "pythonpath",
    "--pythonpath",
    NO_PYTHON,
    "Node looks in node_modules; paths of tsconfig.json work too",
  ),
  absent("paste", "--paste --paster", NO_PYTHON, "use tsgun.config.ts"),
  absent("raw_paste_global_conf", "--paste-global", NO_PYTHON, "use tsgun.config.ts"),
  absent("default_proc_name", "", "the default is the app", "use --name"),
  absent("logger_class", "--logger-class", PINO, LOG_INSTEAD),
  absent("logconfig", "--log-config", PINO, LOG_INSTEAD),
  absent("logconfig_dict", "", PINO, LOG_INSTEAD),
  absent("logconfig_json", "--log-config-json", PINO, LOG_INSTEAD),
  absent(
    "enable_stdio_inheritance",
    "-R --enable-stdio-inheritance",
    "workers always inherit standard output and error, and Node does not buffer lines",
    "leave it out",
  ),
  absent(
    "suppress_ragged_eofs",
    "--suppress-ragged-eofs",
    "a client that ends without a close_notify of TLS has always just ended",
    "leave it out",
  ),
  absent(
    "do_handshake_on_connect",
    "--do-handshake-on-connect",
    "the handshake always comes first, and blocks nobody",
    "leave it out",
  ),
  absent("protocol", "--protocol", NO_UWSGI, UWSGI_INSTEAD),
  absent("uwsgi_allow_ips", "--uwsgi-allow-from", NO_UWSGI, UWSGI_INSTEAD),
  absent(
    "secure_scheme_headers",
    "",
    "proxies send X-Forwarded-Proto",
    "let the proxy send X-Forwarded-Proto, and name the proxy in --forwarded-allow-ips",
  ),
  absent(
    "forwarder_headers",
    "--forwarder-headers",
    "an app sees every field under its own name",
    "name the fields that proxies set in --forwarded-headers",
  ),
  absent(
    "header_map",
    "--header-map",
    "field names are not changed, so none can pass for another",
    "leave it out",
  ),
  absent("permit_obsolete_folding", "--permit-obsolete-folding", STRICT, STRICT_INSTEAD),
  absent("strip_header_spaces", "--strip-header-spaces", STRICT, STRICT_INSTEAD),
  absent(
    "permit_unconventional_http_method",
    "--permit-unconventional-http-method",
    "every method that is a token of RFC 9110 is accepted",
    "leave it out",
  ),
  absent(
    "permit_unconventional_http_version",
    "--permit-unconventional-http-version",
    STRICT,
    STRICT_INSTEAD,
  ),
  absent(
    "casefold_http_method",
    "--casefold-http-method",
    "methods are case-sensitive (RFC 9110, 9.1)",
    STRICT_INSTEAD,
  ),
  absent("http_parser", "--http-parser", "there is one parser", "leave it out"),
  absent("asgi_loop", "--asgi-loop", NO_PYTHON, "leave it out"),
  absent(
    "asgi_lifespan",
    "--asgi-lifespan",
    "the app's startup and shutdown are called if it has them",
    "export { handle, startup, shutdown }",
  ),
  absent(
    "asgi_disconnect_grace_period",
    "--asgi-disconnect-grace-period",
    "request.signal tells the app at once",
    "leave it out",
  ),
  absent("dirty_apps", "--dirty-app", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_workers", "--dirty-workers", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_timeout", "--dirty-timeout", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_threads", "--dirty-threads", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_graceful_timeout", "--dirty-graceful-timeout", NO_DIRTY, DIRTY_INSTEAD),
  absent("on_dirty_starting", "", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_post_fork", "", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_worker_init", "", NO_DIRTY, DIRTY_INSTEAD),
  absent("dirty_worker_exit", "", NO_DIRTY, DIRTY_INSTEAD),
  absent("control_socket_disable", "", "--no-control-socket does it", "write controlSocket: false"),
  absent(
    "control_socket_mode",
    "--control-socket-mode",
    "only the server's user can open the control socket",
    "use sudo -u USER tsgun ctl",
  ),
];

/** Settings whose name in gunicorn's configuration files differs from their flag, with the flag. */
export const RENAMED_SETTINGS: Readonly<Record<string, string>> = {
  wsgi_app: "app",
  accesslog: "access-logfile",
  access_log_format: "access-logformat",
  errorlog: "error-logfile",
  loglevel: "log-level",
  syslog: "log-syslog",
  syslog_addr: "log-syslog-to",
  syslog_prefix: "log-syslog-prefix",
  syslog_facility: "log-syslog-facility",
  reload_extra_files: "reload-extra-file",
  proc_name: "name",
  pidfile: "pid",
  raw_env: "env",
  preload_app: "preload",
  proxy_allow_ips: "proxy-allow-from",
  keepalive: "keep-alive",
};

/** Defaults that differ from gunicorn's, by tsgun's names: gunicorn's value, and why ours differs. */
export const OTHER_DEFAULTS: Readonly<Record<string, { readonly theirs: string; readonly why: string }>> = {
  "http2-cleartext": {
    theirs: "off",
    why: "--http-protocols alone turns HTTP/2 on, and the same rules hold with and without TLS",
  },
  "limit-request-line": {
    theirs: "4094",
    why: "nginx passes lines of 8190 bytes by default, which gunicorn refuses",
  },
  "limit-request-field-size": {
    theirs: "8190",
    why: "nginx joins all cookies of an HTTP/2 request into one field, up to 32 kB by default",
  },
};

/** The error for a setting that tsgun lacks; `given` is how the user wrote it. */
export function absentMessage(setting: AbsentSetting, given: string): string {
  return `${given} is a gunicorn setting that tsgun does not have: ${setting.why}; ${setting.instead}`;
}

/** Finds the missing setting for a command-line word: `-k`, `-kgevent`, `--worker-class=gevent`. */
export function absentFlag(word: string): AbsentSetting | undefined {
  const bare = word.startsWith("--") ? word.replace(/=.*$/s, "") : word.slice(0, 2);
  return ABSENT_SETTINGS.find(({ flags }) => flags.includes(bare));
}

/** Finds the missing setting for a name in a configuration file, in snake_case or camelCase. */
export function absentName(name: string): AbsentSetting | undefined {
  return ABSENT_SETTINGS.find((setting) => normalize(setting.name) === normalize(name));
}

/** Returns tsgun's name of the setting that gunicorn's files call `name`, or undefined. */
export function ownNameOf(name: string): string | undefined {
  const found = Object.entries(RENAMED_SETTINGS).find(([theirs]) => normalize(theirs) === normalize(name));
  return found?.[1].replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function normalize(name: string): string {
  return name.replaceAll(/[-_]/g, "").toLowerCase();
}
