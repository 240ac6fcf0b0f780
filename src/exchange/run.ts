/** Runs a handler for one exchange and sees to what it throws. */
import type { GatewayRequest, Handler } from "../gateway/types.ts";
import type { Answer } from "./answer.ts";

/** Calls `handler`; a throw or a rejection becomes the answer's failure. */
export function runHandler(handler: Handler, request: GatewayRequest, answer: Answer): void {
  try {
    const result: unknown = handler(request, answer.respond);
    if (result instanceof Promise) result.then(undefined, (error: unknown) => answer.fail(error));
    else if (isThenable(result))
      Promise.resolve(result).then(undefined, (error: unknown) => answer.fail(error));
  } catch (error) {
    answer.fail(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
