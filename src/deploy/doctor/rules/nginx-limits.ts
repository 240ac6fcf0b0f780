/** Compares nginx's timeout and body limit with tsgun's. */
import { formatDuration } from "../../../config/number-kind.ts";
import { seconds } from "../../init/deployment.ts";
import { READ_MARGIN_MS } from "../../init/nginx.ts";
import { ownProxyPasses } from "../bound-addresses.ts";
import type { Facts } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";
import { effective, lineOfDirective, type ProxyPass } from "../nginx-sites.ts";
import { nginxSize, nginxTime } from "../nginx-values.ts";

/** nginx's defaults. */
const DEFAULT_READ_TIMEOUT_MS = 60_000;
const DEFAULT_BODY_SIZE = 1024 ** 2;

function readTimeoutShort(facts: Facts): Match[] {
  const { requestTimeout } = facts.config;
  if (requestTimeout === 0) return [];
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    const written = effective(proxyPass, "proxy_read_timeout");
    const timeout = written === undefined ? DEFAULT_READ_TIMEOUT_MS : nginxTime(written.args[0] ?? "");
    if (timeout === undefined || timeout > requestTimeout) return [];
    const own = written === undefined ? " (its default)" : "";
    return [
      {
        where: lineOfDirective(proxyPass, written),
        what: `nginx waits ${formatDuration(timeout)}${own} for a response, tsgun gives the app ${formatDuration(requestTimeout)} (request-timeout)`,
        mend: `write proxy_read_timeout ${seconds(requestTimeout + READ_MARGIN_MS)}s; or lower request-timeout`,
      },
    ];
  });
}

function readTimeoutNotSet(facts: Facts): Match[] {
  if (facts.config.requestTimeout !== 0) return [];
  return ownProxyPasses(facts)
    .filter((proxyPass) => effective(proxyPass, "proxy_read_timeout") === undefined)
    .map((proxyPass) => ({
      where: lineOfDirective(proxyPass, undefined),
      what: `tsgun has no time limit for the app (request-timeout 0), but nginx gives up after ${formatDuration(DEFAULT_READ_TIMEOUT_MS)}, its default`,
    }));
}

/** Returns nginx's body limit in bytes, and where it is set. */
function bodySize(proxyPass: ProxyPass): {
  readonly size: number | undefined;
  readonly where: string;
  readonly written: boolean;
} {
  const directive = effective(proxyPass, "client_max_body_size");
  const size = directive === undefined ? DEFAULT_BODY_SIZE : nginxSize(directive.args[0] ?? "");
  // 0 means no limit.
  return {
    size: size === 0 ? Number.POSITIVE_INFINITY : size,
    where: lineOfDirective(proxyPass, directive),
    written: directive !== undefined,
  };
}

function bodyFound(facts: Facts, wrong: (theirs: number, ours: number) => boolean): Match[] {
  const { limitRequestBody } = facts.config;
  if (limitRequestBody === 0) return [];
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    const { size, where, written } = bodySize(proxyPass);
    if (size === undefined || !wrong(size, limitRequestBody)) return [];
    const theirs = size === Number.POSITIVE_INFINITY ? "any size" : `${size} bytes`;
    const what = `nginx accepts request bodies of ${theirs}${written ? "" : " (its default)"}, tsgun of ${limitRequestBody} (limit-request-body)`;
    return [{ where, what, mend: `write client_max_body_size ${limitRequestBody};` }];
  });
}

export const NGINX_LIMITS: readonly Rule[] = [
  {
    id: "nginx-read-timeout",
    level: "error",
    title: "`proxy_read_timeout` (60s by default) is not longer than `request-timeout`",
    breaks:
      "nginx responds with 504 while the app is still working, and tsgun, which knows what took so long, does not log it.",
    mend: "make proxy_read_timeout longer than request-timeout",
    check: readTimeoutShort,
  },
  {
    id: "nginx-read-timeout-default",
    level: "warning",
    title: "`request-timeout` is 0 (no limit), and `proxy_read_timeout` is the default, 60s",
    breaks: "nginx responds with 504 to slower requests, while the app keeps working on them.",
    mend: "set proxy_read_timeout to the longest time a request may take, or set tsgun's request-timeout",
    check: readTimeoutNotSet,
  },
  {
    id: "nginx-body-smaller",
    level: "warning",
    title: "`client_max_body_size` (1m by default) is below `limit-request-body`",
    breaks: "nginx refuses uploads with 413 that tsgun would accept.",
    mend: "set client_max_body_size to the value of limit-request-body",
    check: (facts) => bodyFound(facts, (theirs, ours) => theirs < ours),
  },
  {
    id: "nginx-body-larger",
    level: "warning",
    title: "`client_max_body_size` is above `limit-request-body`",
    breaks: "nginx stores a whole upload on disk that tsgun then refuses with 413.",
    mend: "set client_max_body_size to the value of limit-request-body",
    check: (facts) => bodyFound(facts, (theirs, ours) => theirs > ours),
  },
];
