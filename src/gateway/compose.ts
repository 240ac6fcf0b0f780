/** Composition of middleware: functions from handler to handler, nested with the first outermost. */
import type { Middleware } from "./types.ts";

/**
 * Combines middleware into one. `compose(a, b)(handler)` is `a(b(handler))`: `a` sees the request first
 * and the response last.
 */
export function compose<State = unknown>(...middleware: Middleware<State>[]): Middleware<State> {
  return (handler) => middleware.reduceRight((next, wrap) => wrap(next), handler);
}
