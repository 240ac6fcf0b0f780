/** Middleware is a function from handler to handler; composing is nesting, the first outermost. */
import type { Middleware } from "./types.ts";

/**
 * Makes one middleware of several. `compose(a, b)(handler)` is `a(b(handler))`: `a` sees the request
 * first and the answer last.
 */
export function compose<State = unknown>(...middleware: Middleware<State>[]): Middleware<State> {
  return (handler) => middleware.reduceRight((next, wrap) => wrap(next), handler);
}
