/** Chooses and runs the handler of one exchange, and handles its errors. */
import { GatewayError, HttpError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { isThenable } from "../gateway/thenable.ts";
import type { GatewayRequest, Handler } from "../gateway/types.ts";
import type { ExchangeRequest } from "./request.ts";
import type { ExchangeResponse } from "./response.ts";
import { requestScope } from "./scope.ts";

/**
 * Returns the app's handler for a request. An upgrade request with content is refused if the app has an upgrade
 * handler. Otherwise it is handled as an ordinary request: a server may ignore Upgrade (RFC 9110 section 7.8). So is one
 * that only offers HTTP/2 (h2c), which RFC 9113 has removed: Java's client does that with every request, and a handler
 * for WebSockets would refuse them all.
 *
 * @param upgrade undefined if the app has no upgrade handler
 * @throws HttpError 501 for an upgrade request with content
 */
export function handlerFor(request: ExchangeRequest, handle: Handler, upgrade: Handler | undefined): Handler {
  if (upgrade === undefined || offersHttp2(request)) return handle;
  if (request.upgradesWithContent)
    throw new HttpError(501, "an upgrade request with content is not supported");
  return request.upgrade ? upgrade : handle;
}

function offersHttp2(request: ExchangeRequest): boolean {
  return (request.upgrade || request.upgradesWithContent) && request.headers.upgrade?.toLowerCase() === "h2c";
}

/**
 * Calls `handler` in its own async scope. An exception or rejection fails the response, and so does a promise that
 * resolves before the app has responded: whatever was to respond is forgotten (gateway section 3.1.3).
 *
 * @param settled called when the handler's promise has settled, after a rejection has failed the response
 * @returns the handler's promise; undefined if it returned none
 */
export function runHandler(
  handler: Handler,
  request: GatewayRequest,
  response: ExchangeResponse,
  settled?: () => void,
): Promise<unknown> | undefined {
  try {
    const result: unknown = requestScope().runInAsyncScope(handler, undefined, request, response.respond);
    const running =
      result instanceof Promise ? result : isThenable(result) ? Promise.resolve(result) : undefined;
    running?.then(
      () => {
        if (!response.sent) response.fail(forgottenAnswer());
        settled?.();
      },
      (error: unknown) => {
        response.fail(error);
        settled?.();
      },
    );
    return running;
  } catch (error) {
    response.fail(error);
    return undefined;
  }
}

function forgottenAnswer(): GatewayError {
  return new GatewayError(
    clause.returning,
    "the handler's promise resolved, but respond was not called: await what calls it, or call it on every path",
  );
}
