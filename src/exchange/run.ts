/** Runs a handler for one exchange and sees to what it throws. */
import type { GatewayRequest, Handler } from "../gateway/types.ts";
import type { Answer } from "./answer.ts";

/**
 * Calls `handler`; a throw or a rejection becomes the answer's failure.
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
    const result: unknown = handler(request, answer.respond);
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
