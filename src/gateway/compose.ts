/** Composition of middleware: functions from handler to handler, nested with the first outermost. */
import { toApp, withHandlers } from "./app-parts.ts";
import { isThenable } from "./thenable.ts";
import type { App, AppMiddleware, Handler, Middleware } from "./types.ts";
import { WRAPS_APPS } from "./under.ts";

/** Wraps a handler or an app. An app keeps its start and end; the middleware sees its upgrades too. */
export interface Composed<State> {
  (handler: Handler<State>): Handler<State>;
  (app: App<State>): App<State>;
  (app: App<State> | Handler<State>): App<State> | Handler<State>;
}

/**
 * Combines middleware into one. `compose(a, b)(handler)` is `a(b(handler))`: `a` sees the request first
 * and the response last. What `next` returns always stands for the response: where the handler returns nothing and
 * responds later, `next` returns a promise that resolves once it has.
 */
export function compose<State = unknown>(...middleware: Middleware<State>[]): Composed<State>;
/** With `under` among them, the result is an app. */
export function compose<State = unknown>(
  ...middleware: (Middleware<State> | AppMiddleware<State>)[]
): (app: App<State> | Handler<State>) => App<State>;
export function compose(...middleware: (Middleware | AppMiddleware)[]): unknown {
  return (app: App | Handler) => {
    let composed = app;
    for (const wrap of [...middleware].reverse()) composed = wrapped(composed, wrap);
    return composed;
  };
}

function wrapped(next: App | Handler, wrap: Middleware | AppMiddleware): App | Handler {
  if (WRAPS_APPS in wrap) return (wrap as AppMiddleware)(toApp(next));
  const around = wrap as Middleware;
  if (typeof next === "function") return around(awaitable(next));
  const upgrade = next.upgrade?.bind(next);
  return withHandlers(
    next,
    around(awaitable((request, respond) => next.handle(request, respond))),
    upgrade && around(awaitable(upgrade)),
  );
}

/** An async middleware that awaits it must not be done before the response, which servers take for a forgotten one. */
function awaitable(handler: Handler): Handler {
  return (request, respond) => {
    const returned: unknown = handler(request, respond);
    if (isThenable(returned) || respond.sent) return returned as ReturnType<Handler>;
    // The failure of a response is the server's to report.
    return respond.finished().then(
      () => {},
      () => {},
    );
  };
}
