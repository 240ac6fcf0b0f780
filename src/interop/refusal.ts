/** Answers requests that an app's interface cannot represent, without reporting an error. */
import { HttpError } from "../errors.ts";
import type { Respond } from "../gateway/types.ts";

/**
 * Responds with the status and message of an `HttpError` thrown before the app was called. The error is not reported,
 * or any client could fill the error log; the access log has the request.
 *
 * @throws any other error
 */
export function refuse(error: unknown, respond: Respond): void {
  if (!(error instanceof HttpError)) throw error;
  respond(error.status, { "content-type": "text/plain; charset=utf-8" }, `${error.message}\n`);
}
