/**
 * Logs requests that are refused because of their head: it exceeds a limit, or all unfinished heads hold too much memory.
 * They would go unnoticed: the app never sees them, and clients rarely complain.
 */
import type { Config, SettingName } from "../config/settings.ts";
import { type HeadLimit, LIMIT_STATUS } from "../http/head-limit.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { StrayHeader } from "../server/front/stray-header.ts";
import { MAX_HEADS_BYTES } from "../server/unfinished-heads.ts";

interface LimitWords {
  readonly setting: SettingName;
  readonly flag: string;
  /** How the request exceeds the limit. */
  beyond(most: number): string;
}

/** Flags are written out here so that workers need not load the table of settings. */
const WORDS: { readonly [Limit in HeadLimit]: LimitWords } = {
  requestLine: {
    setting: "limitRequestLine",
    flag: "--limit-request-line",
    beyond: (most) => `a request line is longer than ${most} bytes`,
  },
  fields: {
    setting: "limitRequestFields",
    flag: "--limit-request-fields",
    beyond: (most) => `a request has more than ${most} header fields`,
  },
  fieldSize: {
    setting: "limitRequestFieldSize",
    flag: "--limit-request-field-size",
    beyond: (most) => `a header field is longer than ${most} bytes`,
  },
};

/** @param now milliseconds of a monotonic clock */
export function headLimitReporter(
  settings: Config,
  log: Pick<ErrorLog, "warning">,
  now?: () => number,
): (limit: HeadLimit) => void {
  const lines = new Map<HeadLimit, RateLimit>();
  return (limit) => {
    let line = lines.get(limit);
    if (line === undefined) {
      line = new RateLimit(now);
      lines.set(limit, line);
    }
    if (!line.allows()) return;
    const { setting, flag, beyond } = WORDS[limit];
    const what = beyond(settings[setting] as number);
    log.warning(
      `Refused with ${LIMIT_STATUS[limit]}: ${what}; if such requests are legitimate, raise ${flag}${line.sinceLast}`,
    );
  };
}

/** The server refuses the oldest large heads when all unfinished ones hold too much memory. */
export function headRefusalReporter(log: ErrorLog): () => void {
  const lines = new RateLimit();
  return () => {
    if (!lines.allows()) return;
    log.warning(
      `Clients hold ${MAX_HEADS_BYTES / 1024 ** 2} MB of unfinished request heads in this worker: the oldest large ones are refused. --limit-request-fields and --limit-request-field-size limit the size of a head`,
    );
  };
}

/** Says why requests are malformed that begin with a PROXY header. */
export function strayHeaderReporter(
  { proxyProtocol }: Pick<Config, "proxyProtocol">,
  log: Pick<ErrorLog, "warning">,
): (header: StrayHeader) => void {
  const lines = new RateLimit();
  return ({ peer, isSecond }) => {
    if (!lines.allows()) return;
    const from = peer.family === "unix" ? "A client of the Unix socket" : peer.address;
    let why = "is not among --proxy-allow-from; add it if it is your balancer";
    if (isSecond) why = "has sent one already; only one balancer in a row may send it";
    else if (proxyProtocol === "off")
      why = "--proxy-protocol is off; set it to auto if that is your balancer, or have it send none";
    log.warning(`Refused with 400: ${from} sent a PROXY header, and ${why}`);
  };
}
