/**
 * Runs the hooks around every request, for both kinds of app. An error in a hook fails the request or is logged; it
 * never ends the worker.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { finished } from "node:stream";
import type { HookRequest, HookResponse, Hooks, WorkerContext } from "../config/hooks.ts";
import { ClientGone } from "../errors.ts";
import { sentStatus } from "../exchange/respond.ts";
import type { App, GatewayRequest, Handler, Respond } from "../gateway/types.ts";
import type { LoadedNodeApp, UpgradeListener } from "../loader/loaded-app.ts";

/** The hook failed, so the app was not called. */
class PreRequestError extends Error {
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

  /** Wraps a gateway app's request handlers. `startup` and `shutdown` are not wrapped. */
  around(app: App): App {
    const { upgrade } = app;
    return {
      handle: this.#aroundHandler((request, respond) => app.handle(request, respond)),
      ...(upgrade && {
        upgrade: this.#aroundHandler((request, respond) => upgrade.call(app, request, respond)),
      }),
    };
  }

  /** Wraps the listeners of an app that node's own server serves. */
  aroundListener(app: LoadedNodeApp): Pick<LoadedNodeApp, "listener" | "upgrade"> {
    const { listener, upgrade } = app;
    return {
      listener: this.#aroundRequests(listener),
      upgrade: upgrade && this.#aroundUpgrades(upgrade),
    };
  }

  #aroundHandler(handle: Handler): Handler {
    return (request, respond) => {
      if (this.#hooks.postRequest !== undefined) this.#whenAnswered(request, respond);
      const before = this.#before(request);
      return before === undefined ? handle(request, respond) : before.then(() => handle(request, respond));
    };
  }

  #aroundRequests(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (this.#hooks.postRequest !== undefined) this.#whenClosed(request, response);
      const refuse = (error: unknown): void => this.#refuse(request, response, error);
      try {
        const before = this.#before(request);
        if (before === undefined) listener(request, response);
        else before.then(() => listener(request, response), refuse);
      } catch (error) {
        if (!(error instanceof PreRequestError)) throw error;
        refuse(error);
      }
    };
  }

  /** After an upgrade the app owns the socket: there is no response to wait for, so postRequest does not run. */
  #aroundUpgrades(upgrade: UpgradeListener): UpgradeListener {
    return (request, socket, head) => {
      const refuse = (error: unknown): void => {
        this.#worker.log.error(`Error handling request ${request.method} ${request.url}`, error);
        socket.end("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      };
      try {
        const before = this.#before(request);
        if (before === undefined) upgrade(request, socket, head);
        else before.then(() => upgrade(request, socket, head), refuse);
      } catch (error) {
        if (!(error instanceof PreRequestError)) throw error;
        refuse(error);
      }
    };
  }

  /** @throws PreRequestError, or returns a promise that rejects with it */
  #before(request: HookRequest): Promise<void> | undefined {
    const { preRequest } = this.#hooks;
    if (preRequest === undefined) return undefined;
    try {
      const running = preRequest.call(this.#hooks, this.#worker, request) as unknown;
      if (typeof running !== "object" || running === null || !("then" in running)) return undefined;
      return Promise.resolve(running as Promise<void>).catch((error) => {
        throw new PreRequestError(error);
      });
    } catch (error) {
      throw new PreRequestError(error);
    }
  }

  #whenAnswered(request: GatewayRequest, respond: Respond): void {
    const tell = (error: Error | undefined): void =>
      this.#after(request, { status: sentStatus(respond), error });
    respond.finished().then(() => tell(undefined), tell);
  }

  #whenClosed(request: IncomingMessage, response: ServerResponse): void {
    finished(response, (error) => {
      const status = response.headersSent ? response.statusCode : undefined;
      this.#after(request, { status, error: error == null ? undefined : new ClientGone() });
    });
  }

  #after(request: HookRequest, response: HookResponse): void {
    const failed = (error: unknown): void => this.#worker.log.error("The hook postRequest failed", error);
    try {
      Promise.resolve(this.#hooks.postRequest?.(this.#worker, request, response)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.#worker.log.error(`Error handling request ${request.method} ${request.url}`, error);
    response.writeHead(500, { "content-type": "text/plain; charset=utf-8", connection: "close" });
    response.end("Internal Server Error\n");
  }
}
