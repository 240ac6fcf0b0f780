/**
 * `tsgun/lint`: checks an app and its server against docs/gateway.md. A broken clause throws a
 * `GatewayError` that names it. A conforming app and server behave as they do without lint.
 */
import { checkWorker, lintRequest } from "./lint-request.ts";
import { type LintedExchange, lintRespond } from "./lint-respond.ts";
import { assertClause, formatValue } from "./lint-violation.ts";
import { isThenable } from "./thenable.ts";
import type { App, GatewayRequest, Handler, Respond } from "./types.ts";

export interface LintOptions {
  /** Receives likely mistakes that break no MUST. Default: emit a process warning. */
  readonly warn?: (message: string) => void;
}

function emitWarning(message: string): void {
  process.emitWarning(message, "GatewayWarning");
}

/**
 * Wraps a handler or an app. It also works anywhere in a middleware chain: `compose(session, lint)(handler)`
 * checks `session` as if it were the server.
 *
 * A violation by the server throws before the app sees the request; a violation by the app throws from the
 * app's own call.
 */
export function lint<State>(app: Handler<State>, options?: LintOptions): Handler<State>;
export function lint<State>(app: App<State>, options?: LintOptions): App<State>;
export function lint<State>(
  app: App<State> | Handler<State>,
  options?: LintOptions,
): App<State> | Handler<State>;
export function lint(app: App | Handler, options: LintOptions = {}): App | Handler {
  const warn = options.warn ?? emitWarning;
  if (typeof app === "function") return lintHandler(app, warn);
  assertClause(
    typeof app === "object" && app !== null,
    "3.2.1",
    `an app is a function or an object, not ${formatValue(app)}`,
  );
  for (const name of ["handle", "startup", "shutdown", "upgrade", "onServerAnswer"] as const) {
    const method: unknown = app[name];
    const absent = method === undefined && name !== "handle";
    assertClause(absent || typeof method === "function", "3.2.1", `app.${name} is ${formatValue(method)}`);
  }
  return lintApp(app, warn);
}

/** Where an app is in its lifecycle. It may be started again after it has stopped or failed. */
type Life = "new" | "starting" | "started" | "failed" | "stopped";

function lintApp(app: App, warn: (message: string) => void): App {
  let life: Life = "new";
  const serving = (handler: Handler): Handler => {
    const linted = lintHandler(handler, warn);
    return (request, respond) => {
      // "new" is valid: a server may supply the state itself and skip `startup`, as tests do.
      assertClause(
        life === "new" || life === "started",
        "3.3.1",
        `the server passes a request to an app that is ${life}`,
      );
      return linted(request, respond);
    };
  };
  const { startup, shutdown, upgrade, onServerAnswer } = app;
  return {
    handle: serving((request, respond) => app.handle(request, respond)),
    ...(upgrade !== undefined && {
      upgrade: serving((request, respond) => upgrade.call(app, request, respond)),
    }),
    ...(startup !== undefined && {
      startup: async (worker) => {
        assertClause(life !== "starting" && life !== "started", "3.3.1", "startup is called a second time");
        checkWorker(worker);
        life = "starting";
        try {
          const state = await startup.call(app, worker);
          life = "started";
          return state;
        } catch (error) {
          life = "failed";
          throw error;
        }
      },
    }),
    ...(onServerAnswer !== undefined && {
      onServerAnswer: (answer) => onServerAnswer.call(app, answer),
    }),
    ...(shutdown !== undefined && {
      shutdown: async (state) => {
        const started = startup === undefined ? life !== "stopped" : life === "started";
        assertClause(started, "3.3.3", `shutdown is called on an app that is ${life}`);
        life = "stopped";
        await shutdown.call(app, state);
        if (startup === undefined) life = "new";
      },
    }),
  };
}

function lintHandler(handler: Handler, warn: (message: string) => void): Handler {
  return (...args: Parameters<Handler>): void | Promise<void> => {
    assertClause(args.length === 2, "3.1.1", `a handler is called with ${args.length} arguments, not 2`);
    const [request, respond] = args;
    const linted = lintRequest(request);
    const exchange: LintedExchange = {
      signal: request.signal,
      label: `${request.method} ${formatValue(request.target)} (request ${request.id})`,
      warn,
      responded: false,
      ended: false,
      failed: false,
    };
    return runLinted(handler, linted, lintRespond(respond, request, exchange), exchange);
  };
}

function runLinted(
  handler: Handler,
  request: GatewayRequest,
  respond: Respond,
  exchange: LintedExchange,
): void | Promise<void> {
  let result: unknown;
  try {
    result = handler(request, respond);
  } catch (error) {
    exchange.failed = true;
    throw error;
  }
  if (!isThenable(result)) {
    checkResult(result, exchange);
    return undefined;
  }
  return Promise.resolve(result).then(
    (value) => checkResult(value, exchange),
    (error: unknown) => {
      exchange.failed = true;
      throw error;
    },
  );
}

/** Warns about a returned value: a fetch app returns its response instead of calling `respond`. */
function checkResult(value: unknown, exchange: LintedExchange): void {
  if (value === undefined || exchange.responded) return;
  exchange.warn(
    `${exchange.label}: the handler returned ${formatValue(value)}, which is ignored (section 3.1.2)`,
  );
}
