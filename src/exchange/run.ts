/** Chooses the handler for one exchange, runs it, and sees to what it throws. */
import { HttpError } from "../errors.ts";
import type { GatewayRequest, Handler } from "../gateway/types.ts";
import type { Answer } from "./answer.ts";
import type { ExchangeRequest } from "./request.ts";
import { requestScope } from "./scope.ts";

/**
 * The handler of an app that takes a request. One that asks to change protocols and has content is refused where the
 * app would do as it asks, and else like any other: a server may ignore Upgrade (RFC 9110 section 7.8).
 *
 * @param upgrade undefined where the app has only one handler
 * @throws HttpError 501
 */
export function handlerFor(request: ExchangeRequest, handle: Handler, upgrade: Handler | undefined): Handler {
  if (upgrade === undefined) return handle;
  if (request.upgradesWithContent)
    throw new HttpError(501, "a request that has content cannot change protocols here");
  return request.upgrade ? upgrade : handle;
}

/**
 * Calls `handler` in a scope of its own; a throw or a rejection becomes the answer's failure.
 *
 * @param settled called when the promise that it returns has settled, and the answer's failure is seen to
 * @returns what tells that the handler has settled; undefined where it does not say
 */
export function runHandler(
  handler: Handler,
  request: GatewayRequest,
  answer: Answer,
  settled?: () => void,
): Promise<unknown> | undefined {
  try {
    const result: unknown = requestScope().runInAsyncScope(handler, undefined, request, answer.respond);
    const running =
      result instanceof Promise ? result : isThenable(result) ? Promise.resolve(result) : undefined;
    running?.then(settled, (error: unknown) => {
      answer.fail(error);
      settled?.();
    });
    return running;
  } catch (error) {
    answer.fail(error);
    return undefined;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
