/** Middleware takes the next handler and gives one that wraps it. It fits any state, so it names none. */
import type { Handler } from "tsgun";

/** Writes a line for each answer, once it was delivered or could not be. */
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

/** Answers what a handler throws, as long as nothing was sent; the server would say less. */
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

/** Lets methods that change something through to the paths named, and nowhere else. */
export function onlyReading(...except: string[]): <State>(next: Handler<State>) => Handler<State> {
  return (next) => (request, respond) => {
    if (["GET", "HEAD"].includes(request.method) || except.includes(request.path))
      return next(request, respond);
    respond(405, { allow: "GET, HEAD" }, null);
  };
}
