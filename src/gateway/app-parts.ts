/** An app and a handler as one kind, so that what combines apps treats both alike. */
import type { App, Handler } from "./types.ts";

/** The app that a handler is, or an app itself. */
export function toApp<State>(app: App<State> | Handler<State>): App<State> {
  return typeof app === "function" ? { handle: app } : app;
}

/** Returns an app with other handlers, and all else of `app`: its start, its end and its dress of the server's answers. */
export function withHandlers<State>(
  app: App<State>,
  handle: Handler<State>,
  upgrade: Handler<State> | undefined,
): App<State> {
  const { startup, shutdown, onServerAnswer } = app;
  return {
    handle,
    ...(upgrade !== undefined && { upgrade }),
    ...(startup !== undefined && { startup: (worker) => startup.call(app, worker) }),
    ...(shutdown !== undefined && { shutdown: (state) => shutdown.call(app, state) }),
    ...(onServerAnswer !== undefined && { onServerAnswer: (answer) => onServerAnswer.call(app, answer) }),
  };
}
