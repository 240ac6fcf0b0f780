/** Middleware takes the next handler and returns one that wraps it. It works with any state. */
import type { Handler } from "tsgun";

/** Logs each response when it has been delivered or has failed. */
export function logged<State>(next: Handler<State>): Handler<State> {
  return (request, respond) => {
    const began = performance.now();
    const log = (end: string) => (): void => {
      console.log(
        `${request.method} ${request.target} ${end} after ${(performance.now() - began).toFixed(1)} ms`,
      );
    };
    respond.finished().then(log("answered"), log("broken off"));
    return next(request, respond);
  };
}

/** Responds to errors that a handler throws before it has sent anything, with more detail than the server would. */
export function answerErrors<State>(next: Handler<State>): Handler<State> {
  return async (request, respond) => {
    try {
      await next(request, respond);
    } catch (error) {
      if (respond.sent) throw error;
      console.error(error);
      respond(
        500,
        { "content-type": "application/json" },
        JSON.stringify({ error: "internal", id: request.id }),
      );
    }
  };
}

/** Allows methods other than GET and HEAD only on the given paths. */
export function onlyReading(...except: string[]): <State>(next: Handler<State>) => Handler<State> {
  return (next) => (request, respond) => {
    if (["GET", "HEAD"].includes(request.method) || except.includes(request.path))
      return next(request, respond);
    respond(405, { allow: "GET, HEAD" }, null);
  };
}
