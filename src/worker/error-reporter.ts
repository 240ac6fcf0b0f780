/** The lines of the error log for requests that failed, and for connections that could not be accepted. */
import { BodyError, ClientGone, FetchAppError, GatewayError, HttpError } from "../errors.ts";
import { hasAppFrames } from "../log/app-frames.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { RequestMeter } from "../server/request-meter.ts";
import type { ErrorReporter } from "../server/server-options.ts";

type Log = Pick<ErrorLog, "level" | "debug" | "warning" | "error">;

/**
 * Errors of the app have a line each. Clients can break their content at will, so of that each status has one a minute;
 * all of them are in the access log, and here at the level debug.
 *
 * @param now milliseconds of a monotonic clock
 */
export function errorReporter(log: Log, now?: () => number): ErrorReporter {
  const lines = new Map<number, RateLimit>();
  return (error, { method, target, id }) => {
    const fields = { id, method, target };
    // An app that does not catch it is not at fault, and clients must not be able to fill the log with stacks.
    if (error instanceof BodyError) {
      const message = `Invalid content of request ${method} ${target} (${id}): ${error.message}`;
      const isGone = error.cause instanceof ClientGone;
      const line = isGone ? undefined : lineOf(lines, error.status, now);
      if (line?.allows() !== true) log.debug(message, fields);
      else log.warning(message + line.sinceLast, undefined, fields);
      return;
    }
    const message = `Error handling request ${method} ${target} (${id})`;
    if (log.level !== "debug" && saysAll(error)) log.error(`${message}: ${error.message}`, undefined, fields);
    else log.error(message, error, fields);
  };
}

/**
 * A reason that keeps the kernel from accepting one connection keeps it from others: a line a minute.
 *
 * @param now milliseconds of a monotonic clock
 */
export function acceptErrorReporter(
  log: Pick<ErrorLog, "error">,
  meter: Pick<RequestMeter, "connectionFailed"> | undefined,
  now?: () => number,
): (error: Error) => void {
  const lines = new RateLimit(now);
  return (error) => {
    meter?.connectionFailed("accept");
    if (lines.allows()) log.error(`A connection could not be accepted${lines.sinceLast}`, error);
  };
}

function lineOf(lines: Map<number, RateLimit>, status: number, now?: () => number): RateLimit {
  let line = lines.get(status);
  if (line === undefined) {
    line = new RateLimit(now);
    lines.set(status, line);
  }
  return line;
}

/** Whether the stack adds nothing to the message: tsgun made the error, and no frame of the app led to it. */
function saysAll(error: Error): boolean {
  const isOwn = [HttpError, GatewayError, FetchAppError].some((kind) => error instanceof kind);
  return isOwn && error.cause === undefined && !hasAppFrames(error.stack ?? "");
}
