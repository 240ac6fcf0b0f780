/**
 * Tells the log of requests that are refused for the length of their head. Nobody else does: the app never sees them,
 * and their client rarely complains. Clients must not be able to fill the log, so each limit has a line a minute.
 */
import { type Config, type SettingName, settingLabel } from "../config/settings.ts";
import { type HeadLimit, LIMIT_STATUS } from "../http/head-limit.ts";
import type { ErrorLog } from "../log/error-log.ts";

/** Milliseconds between two lines about the same limit. */
const EVERY = 60_000;

const SETTINGS: { readonly [Limit in HeadLimit]: SettingName } = {
  requestLine: "limitRequestLine",
  fields: "limitRequestFields",
  fieldSize: "limitRequestFieldSize",
};

const BEYOND: { readonly [Limit in HeadLimit]: (most: number) => string } = {
  requestLine: (most) => `a request line is longer than ${most} bytes`,
  fields: (most) => `a request has more than ${most} header fields`,
  fieldSize: (most) => `a header field is longer than ${most} bytes`,
};

/** @param now in milliseconds */
export function headLimitReporter(
  settings: Config,
  log: Pick<ErrorLog, "warning">,
  now: () => number = () => performance.now(),
): (limit: HeadLimit) => void {
  const told = new Map<HeadLimit, { readonly at: number; since: number }>();
  return (limit) => {
    const before = told.get(limit);
    if (before !== undefined && now() - before.at < EVERY) {
      before.since += 1;
      return;
    }
    told.set(limit, { at: now(), since: 0 });
    const name = SETTINGS[limit];
    const what = BEYOND[limit](settings[name] as number);
    const more =
      before === undefined || before.since === 0 ? "" : ` (${before.since} more since the last such line)`;
    log.warning(
      `Refused with ${LIMIT_STATUS[limit]}: ${what}; where such requests are good ones, raise --${settingLabel(name)}${more}`,
    );
  };
}
