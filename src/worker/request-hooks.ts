/**
 * Runs the hooks around every request, for both kinds of app. An error in a hook fails the request or is logged; it
 * never ends the worker.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { finished } from "node:stream";
import type { HookRequest, HookResponse, Hooks, WorkerContext } from "../config/hooks.ts";
import { AppNotCalled, ClientGone } from "../errors.ts";
import { sentStatus } from "../exchange/respond.ts";
import { compose } from "../gateway/compose.ts";
import { isThenable } from "../gateway/thenable.ts";
import type { App, GatewayRequest, Handler, Respond } from "../gateway/types.ts";
import type { LoadedNodeApp } from "../loader/loaded-app.ts";
import type { ListenerWrapper, UpgradeListener } from "../server/node/node-server-options.ts";

class PreRequestError extends AppNotCalled {
  override readonly name = "PreRequestError";

  constructor(cause: unknown) {
    super("the hook preRequest failed", { cause });
  }
}

export class RequestHooks {
  readonly #hooks: Partial<Hooks>;
  readonly #worker: WorkerContext;

  constructor(hooks: Partial<Hooks>, worker: WorkerContext) {
    this.#hooks = hooks;
    this.#worker = worker;
  }

  /** Wraps a gateway app's request handlers. */
  around(app: App): App {
    return compose((next) => this.#aroundHandler(next))(app);
  }

  /** Wraps the listeners of an app that node's own server serves. */
  aroundListener(app: LoadedNodeApp): Pick<LoadedNodeApp, "listener" | "upgrade"> {
    const { listener, upgrade } = app;
    return {
      listener: this.#aroundRequests(listener),
      upgrade: upgrade && this.#aroundUpgrades(upgrade),
    };
  }

  /** Wraps the listeners of a server that the app made. */
  wrapper(): ListenerWrapper {
    return {
      listener: (listener) => this.#aroundRequests(listener),
      upgrade: (listener) => this.#aroundUpgrades(listener),
    };
  }

  #aroundHandler(handle: Handler): Handler {
    return (request, respond) => {
      if (this.#hooks.postRequest !== undefined) this.#whenFinished(request, respond);
      return this.#afterPreRequest(request, () => handle(request, respond));
    };
  }

  /** The server logs what the listener throws or rejects with, and responds with 500. */
  #aroundRequests(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (this.#hooks.postRequest !== undefined) this.#whenClosed(request, response);
      return this.#afterPreRequest(request, () => listener(request, response));
    };
  }

  /** After an upgrade the app owns the socket: there is no response to wait for, so postRequest does not run. */
  #aroundUpgrades(upgrade: UpgradeListener): UpgradeListener {
    return (request, socket, head) => this.#afterPreRequest(request, () => upgrade(request, socket, head));
  }

  /**
   * Runs preRequest and then `serve`.
   *
   * @returns the result of `serve`, in a promise if preRequest returns one
   * @throws PreRequestError if the hook failed; any error of `serve`
   */
  #afterPreRequest<Result>(request: HookRequest, serve: () => Result): Result | Promise<Awaited<Result>> {
    const { preRequest } = this.#hooks;
    if (preRequest === undefined) return serve();
    let running: unknown;
    try {
      running = preRequest.call(this.#hooks, this.#worker, request);
    } catch (error) {
      throw new PreRequestError(error);
    }
    if (!isThenable(running)) return serve();
    return Promise.resolve(running).then(serve, (error: unknown) => {
      throw new PreRequestError(error);
    }) as Promise<Awaited<Result>>;
  }

  #whenFinished(request: GatewayRequest, respond: Respond): void {
    const after = (error: Error | undefined): void => {
      this.#runPostRequest(request, { status: sentStatus(respond), error });
    };
    respond.finished().then(() => after(undefined), after);
  }

  #whenClosed(request: IncomingMessage, response: ServerResponse): void {
    finished(response, (error) => {
      const status = response.headersSent ? response.statusCode : undefined;
      // Node's response for HTTP/2 closes without an error.
      const isCut = error != null || ("stream" in response && !response.writableFinished);
      this.#runPostRequest(request, { status, error: isCut ? new ClientGone() : undefined });
    });
  }

  #runPostRequest(request: HookRequest, response: HookResponse): void {
    attempt(
      () => this.#hooks.postRequest?.(this.#worker, request, response),
      (error) => this.#worker.log.error(`The hook postRequest failed for ${nameOf(request)}`, error),
    );
  }
}

/** Calls `call`; `failed` gets the error that it throws or rejects with. */
function attempt(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const running = call();
    if (isThenable(running)) running.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/** Names a request in a log line. Node's own requests have no id. */
function nameOf(request: HookRequest): string {
  return "target" in request
    ? `${request.method} ${request.target} (${request.id})`
    : `${request.method} ${request.url}`;
}
