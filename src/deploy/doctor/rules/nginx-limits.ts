/** Compares nginx's timeout and body limit with tsgun's. */
import { formatDuration } from "../../../config/number-kind.ts";
import { seconds } from "../../init/deployment.ts";
import { READ_MARGIN_MS } from "../../init/nginx.ts";
import { ownPassages } from "../bound-addresses.ts";
import type { Facts } from "../facts.ts";
import type { Found, Rule } from "../finding.ts";
import { effective, type Passage, whereOf } from "../nginx-sites.ts";
import { nginxSize, nginxTime } from "../nginx-values.ts";

/** nginx's defaults. */
const DEFAULT_READ_TIMEOUT_MS = 60_000;
const DEFAULT_BODY_SIZE = 1024 ** 2;

function readTimeoutShort(facts: Facts): Found[] {
  const { requestTimeout } = facts.config;
  if (requestTimeout === 0) return [];
  return ownPassages(facts).flatMap((passage): Found[] => {
    const written = effective(passage, "proxy_read_timeout");
    const timeout = written === undefined ? DEFAULT_READ_TIMEOUT_MS : nginxTime(written.args[0] ?? "");
    if (timeout === undefined || timeout > requestTimeout) return [];
    const own = written === undefined ? " (its default)" : "";
    return [
      {
        where: whereOf(passage, written),
        what: `nginx waits ${formatDuration(timeout)}${own} for an answer, tsgun lets the app take ${formatDuration(requestTimeout)} (request-timeout)`,
        mend: `write proxy_read_timeout ${seconds(requestTimeout + READ_MARGIN_MS)}s; or lower request-timeout`,
      },
    ];
  });
}

function readTimeoutNotSet(facts: Facts): Found[] {
  if (facts.config.requestTimeout !== 0) return [];
  return ownPassages(facts)
    .filter((passage) => effective(passage, "proxy_read_timeout") === undefined)
    .map((passage) => ({
      where: whereOf(passage, undefined),
      what: `tsgun sets the app no limit (request-timeout 0), and nginx gives up after ${formatDuration(DEFAULT_READ_TIMEOUT_MS)}, its default`,
    }));
}

/** Returns nginx's body limit in bytes, and where it is set. */
function bodySize(passage: Passage): {
  readonly size: number | undefined;
  readonly where: string;
  readonly written: boolean;
} {
  const directive = effective(passage, "client_max_body_size");
  const size = directive === undefined ? DEFAULT_BODY_SIZE : nginxSize(directive.args[0] ?? "");
  // 0 means no limit.
  return {
    size: size === 0 ? Number.POSITIVE_INFINITY : size,
    where: whereOf(passage, directive),
    written: directive !== undefined,
  };
}

function bodyFound(facts: Facts, wrong: (theirs: number, ours: number) => boolean): Found[] {
  const { limitRequestBody } = facts.config;
  if (limitRequestBody === 0) return [];
  return ownPassages(facts).flatMap((passage): Found[] => {
    const { size, where, written } = bodySize(passage);
    if (size === undefined || !wrong(size, limitRequestBody)) return [];
    const theirs = size === Number.POSITIVE_INFINITY ? "any amount" : `${size} bytes`;
    const what = `nginx takes ${theirs}${written ? "" : " (its default)"} of a request's content, tsgun ${limitRequestBody} (limit-request-body)`;
    return [{ where, what, mend: `write client_max_body_size ${limitRequestBody};` }];
  });
}

export const NGINX_LIMITS: readonly Rule[] = [
  {
    id: "nginx-read-timeout",
    level: "error",
    title: "`proxy_read_timeout` (60s by default) is not above `request-timeout`",
    breaks:
      "nginx answers 504 while the app works on; tsgun, which knows what took so long, never gets to say and log it.",
    mend: "let proxy_read_timeout be longer than request-timeout",
    check: readTimeoutShort,
  },
  {
    id: "nginx-read-timeout-default",
    level: "warning",
    title: "`request-timeout` is 0, no limit, and `proxy_read_timeout` is left at 60s",
    breaks: "What takes longer gets 504 from nginx, while the app works on for nobody.",
    mend: "write a proxy_read_timeout, as long as a request may take, or give tsgun a request-timeout",
    check: readTimeoutNotSet,
  },
  {
    id: "nginx-body-smaller",
    level: "warning",
    title: "`client_max_body_size` (1m by default) is below `limit-request-body`",
    breaks: "Uploads that tsgun would take get 413 from nginx.",
    mend: "let client_max_body_size be limit-request-body",
    check: (facts) => bodyFound(facts, (theirs, ours) => theirs < ours),
  },
  {
    id: "nginx-body-larger",
    level: "warning",
    title: "`client_max_body_size` is above `limit-request-body`",
    breaks: "nginx takes a whole upload, on its disk, that tsgun then refuses with 413.",
    mend: "let client_max_body_size be limit-request-body",
    check: (facts) => bodyFound(facts, (theirs, ours) => theirs > ours),
  },
];
