/** The line of the error log for a request that failed. */
import { BodyError, ClientGone, FetchAppError, GatewayError, HttpError } from "../errors.ts";
import { hasAppFrames } from "../log/app-frames.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { ErrorReporter } from "../server/server-options.ts";

export function errorReporter(log: ErrorLog): ErrorReporter {
  return (error, { method, target, id }) => {
    const fields = { id, method, target };
    // An app that does not catch it is not at fault, and clients must not be able to fill the log with stacks.
    if (error instanceof BodyError) {
      const message = `Invalid content of request ${method} ${target} (${id}): ${error.message}`;
      if (error.cause instanceof ClientGone) log.debug(message, fields);
      else log.warning(message, undefined, fields);
      return;
    }
    const message = `Error handling request ${method} ${target} (${id})`;
    if (log.level !== "debug" && saysAll(error)) log.error(`${message}: ${error.message}`, undefined, fields);
    else log.error(message, error, fields);
  };
}

/** Whether the stack adds nothing to the message: tsgun made the error, and no frame of the app led to it. */
function saysAll(error: Error): boolean {
  const isOwn = [HttpError, GatewayError, FetchAppError].some((kind) => error instanceof kind);
  return isOwn && error.cause === undefined && !hasAppFrames(error.stack ?? "");
}
