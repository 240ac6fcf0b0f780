/**
 * Options of other programs that serve apps (PM2, node, nodemon, uvicorn, puma, framework commands) and their equivalents
 * here. Each is refused with a one-line hint; none is accepted and ignored. gunicorn's options are in gunicorn.ts.
 */

interface ForeignOption {
  readonly flags: readonly string[];
  /** The equivalent here. */
  readonly instead: string;
}

function foreign(flags: string, instead: string): ForeignOption {
  return { flags: flags.split(" "), instead };
}

const BIND = "write --bind HOST:PORT, as in --bind 127.0.0.1:3000";
const WATCH = "write tsgun dev APP, or --reload";
const WATCH_MORE = "tsgun dev watches the files that the app has loaded; add others with --reload-extra-file";
const NODE_OPTIONS = "pass it to node in the variable NODE_OPTIONS";
const NODE_ITSELF =
  "tsgun runs under the node that starts it: write PATH/TO/node node_modules/.bin/tsgun APP";
const ERROR_LOG = "write --error-logfile FILE, and --capture-output for what the app prints";
const CRASHES = "dead workers are replaced, with growing delays; --crash-limit sets when to give up";
const TLS = "write --certfile FILE --keyfile FILE, or let nginx terminate TLS (tsgun init nginx)";

const FOREIGN_OPTIONS: readonly ForeignOption[] = [
  foreign("--port -P --host --hostname -H --address --listen", BIND),
  foreign("--uds --socket", "write --bind unix:/path/to/socket"),
  foreign("--fd", "sockets from systemd are used without it: leave it out"),
  foreign(
    "--instances -i --cluster --processes --num-workers",
    "write --workers N, or --workers auto for one per CPU",
  ),
  foreign("--watch --hot", WATCH),
  foreign("--watch-path --ext --reload-dir --reload-include", WATCH_MORE),
  foreign("--ignore --ignore-watch --reload-exclude", "only files that the app has loaded are watched"),
  foreign("--legacy-watch -L --watch-poll", "write --reload-engine poll"),
  foreign("--exec -x --interpreter", NODE_ITSELF),
  foreign("--node-args --interpreter-args --nodeArgs", NODE_OPTIONS),
  foreign("--inspect --inspect-brk --import --require -r --loader --experimental-loader", NODE_OPTIONS),
  foreign("--max-old-space-size --enable-source-maps --experimental-strip-types", NODE_OPTIONS),
  foreign("--log --log-path --output -o --error -l --logfile", ERROR_LOG),
  foreign("--log-type", "write --log-format json"),
  foreign(
    "--log-date-format --time --merge-logs",
    "every log line has its time, and all workers share one log",
  ),
  foreign("--access-log", "write --access-logfile FILE, or - for standard output"),
  foreign("--verbose --debug", "write --log-level debug"),
  foreign("--quiet --silent", "write --log-level warning"),
  foreign("--max-memory-restart --worker-max-memory", "write --max-memory, as in --max-memory 512MB"),
  foreign("--limit-max-requests", "write --max-requests N"),
  foreign("--limit-concurrency", "write --max-in-flight N, for requests, or --worker-connections N"),
  foreign("--cron --cron-restart", "write --max-lifetime, as in --max-lifetime 24h"),
  foreign("--max-restarts --min-uptime --restart-delay --exp-backoff-restart-delay --autorestart", CRASHES),
  foreign("--no-autorestart", "write --crash-limit 1/60s: the server stops when the first worker dies"),
  foreign("--kill-timeout --timeout-graceful-shutdown --shutdown-timeout", "write --graceful-timeout"),
  foreign("--listen-timeout --timeout-worker-healthcheck", "write --boot-timeout"),
  foreign("--wait-ready", "a worker is ready when its app has loaded and startup is done: leave it out"),
  foreign("--timeout-keep-alive --keep-alive-timeout", "write --keep-alive"),
  foreign(
    "--no-daemon --foreground --attach",
    "the server stays in the foreground without --daemon: leave it out",
  ),
  foreign("--background --detach", "write --daemon, or let systemd start it (tsgun init systemd)"),
  foreign("--cwd --app-dir --working-directory", "write --chdir DIR"),
  foreign("--uid", "write --user USER"),
  foreign("--gid", "write --group GROUP"),
  foreign("--pidfile --pid-file", "write --pid FILE"),
  foreign("--proxy-headers --trust-proxy", "name the proxies in --forwarded-allow-ips"),
  foreign("--base-path --basePath", "write --root-path PATH"),
  foreign("--factory", 'write APP:create() where create is the factory, as in app.ts:create("production")'),
  foreign("--app", "write it without the flag, as in tsgun app.ts:handler"),
  foreign("--production --prod", "set NODE_ENV=production"),
  foreign("--ssl-keyfile --ssl-certfile --tls-cert --tls-key --cert --key --https", TLS),
  foreign("-V", "write --version"),
];

const HINTS = new Map(FOREIGN_OPTIONS.flatMap(({ flags, instead }) => flags.map((flag) => [flag, instead])));

/** Flags and their hints, for tests. */
export const FOREIGN_FLAGS: ReadonlyMap<string, string> = HINTS;

/** The error for a command-line word such as `--port=3000` or `-i4`; undefined if it is no known option. */
export function foreignFlagMessage(word: string): string | undefined {
  const flag = word.startsWith("--") ? word.replace(/=.*$/s, "") : word.slice(0, 2);
  const instead = HINTS.get(flag);
  return instead === undefined ? undefined : `there is no option ${flag}: ${instead}`;
}

/** The error for a name in a configuration file, such as `port`; undefined if it is no known option. */
export function foreignNameMessage(name: string, origin: string): string | undefined {
  const instead = HINTS.get(
    `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-")}`,
  );
  return instead === undefined ? undefined : `there is no setting ${name} (from ${origin}): ${instead}`;
}
