/** Requests that the interface of an app has no place for: answered in its place, and told nobody. */
import { HttpError } from "../errors.ts";
import type { Respond } from "../gateway/types.ts";

/**
 * Answers with the status and the message of an `HttpError` that was met before the app was called. It is not
 * reported: any stranger could fill the error log, and the access log has the request.
 *
 * @throws what is no `HttpError`
 */
export function refuse(error: unknown, respond: Respond): void {
  if (!(error instanceof HttpError)) throw error;
  respond(error.status, { "content-type": "text/plain; charset=utf-8" }, `${error.message}\n`);
}
