/**
 * Runs an app in a process that is not a tsgun worker: lifecycle (startup, shutdown), request timeout and
 * error reporting, the same for every transport.
 */
import { setMaxListeners } from "node:events";
import { HttpError, RequestAborted, thrownError } from "../errors.ts";
import type { MessageBody } from "../exchange/message-body.ts";
import { ProxyRules } from "../exchange/proxy-rules.ts";
import { type ExchangeContext, type ExchangeHead, ExchangeRequest } from "../exchange/request.ts";
import { ExchangeResponse } from "../exchange/response.ts";
import { handlerFor, runHandler } from "../exchange/run.ts";
import { answerDresser, type DressAnswer } from "../exchange/server-answer.ts";
import type { Transport } from "../exchange/transport.ts";
import type { ForwardedField } from "../gateway/proxies.ts";
import type { App, Endpoint, GatewayRequest, Handler, WorkerInfo } from "../gateway/types.ts";
import { refuse } from "./refusal.ts";
import { workerInfo } from "./worker-info.ts";

export interface HostOptions {
  /**
   * Trusted proxies in front of the server (addresses, CIDRs, `unix`, `*`). Their fields determine `remote`, `scheme`,
   * `host`, `rootPath` and `id`. Default: none.
   */
  readonly forwardedAllowIps?: readonly string[];
  /** The fields that these proxies set. Default: all. */
  readonly forwardedHeaders?: readonly ForwardedField[];
  /** The prefix under which a proxy mounts the app. Default: "". */
  readonly rootPath?: string;
  /** Maximum bytes of a request body. Default: no limit. */
  readonly bodyLimit?: number;
  /** Milliseconds from the request to the head of its response; after that it is answered with 503. Default: no limit. */
  readonly requestTimeout?: number;
  /**
   * Milliseconds that the end waits, after the last response, for what handlers still do (`waitUntil`, promises).
   * Default: 10,000.
   */
  readonly shutdownTimeout?: number;
  /** Receives the errors that an operator should see. Default: log them to the console with the request's id. */
  readonly onError?: (error: Error, request: GatewayRequest) => void;
}

/** One request in progress. */
export interface HostedExchange {
  readonly request: ExchangeRequest;
  readonly response: ExchangeResponse;
}

/** The connection of a request. */
export interface HostedConnection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly scheme: "http" | "https";
}

/** How long the end waits for what handlers still do. */
const SHUTDOWN_TIMEOUT_MS = 10_000;

/** An unknown end of a connection. */
export const UNKNOWN_ENDPOINT: Endpoint = Object.freeze({ family: "unix", address: "", port: 0 });

/** Getters, because the state is only set once the app has started, and looking up the connection's ends costs. */
class HostedContext implements ExchangeContext {
  readonly #host: HostedApp;
  readonly #connection: HostedConnection;
  #trusted: boolean | undefined;

  constructor(host: HostedApp, connection: HostedConnection) {
    this.#host = host;
    this.#connection = connection;
  }

  get peer(): Endpoint {
    return this.#connection.peer;
  }

  get local(): Endpoint {
    return this.#connection.local;
  }

  get scheme(): "http" | "https" {
    return this.#connection.scheme;
  }

  get rootPath(): string {
    return this.#host.rootPath;
  }

  get proxyRules(): ProxyRules | undefined {
    const { proxyRules } = this.#host;
    if (proxyRules === undefined) return undefined;
    const { peer } = this.#connection;
    // UNKNOWN_ENDPOINT has the family `unix`, but must not count as a client of a Unix socket.
    this.#trusted ??= peer !== UNKNOWN_ENDPOINT && proxyRules.trusts(peer);
    return this.#trusted ? proxyRules : undefined;
  }

  get worker(): WorkerInfo {
    return this.#host.worker;
  }

  get state(): unknown {
    return this.#host.state;
  }

  waitUntil(work: PromiseLike<unknown>, request: ExchangeRequest): void {
    this.#host.keep(work, request);
  }
}

function logError(error: Error, request: GatewayRequest): void {
  console.error(`${request.method} ${request.target} (request ${request.id}) failed:`, error);
}

export class HostedApp {
  readonly worker: WorkerInfo;
  readonly bodyLimit: number;
  readonly rootPath: string;
  readonly proxyRules: ProxyRules | undefined;
  state: unknown;
  /** Resolves when the app has started; rejects with the error of its `startup`. */
  readonly ready: Promise<void>;
  readonly #app: App;
  readonly #options: HostOptions;
  readonly #handle: Handler;
  readonly #upgrade: Handler | undefined;
  readonly #drain = new AbortController();
  #started = false;
  readonly #dress: DressAnswer | undefined;
  /** Exchanges without a complete response. */
  #inFlight = 0;
  /** Handlers and other work that has not settled. */
  #working = 0;
  #onIdle: (() => void) | undefined;
  #onWorked: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** @throws RangeError for a `bodyLimit` that is not a number of at least 0, or a `requestTimeout` not above 0 */
  constructor(app: App | Handler, options: HostOptions = {}) {
    const { bodyLimit = Number.POSITIVE_INFINITY, requestTimeout = Number.POSITIVE_INFINITY } = options;
    if (!(typeof bodyLimit === "number" && bodyLimit >= 0))
      throw new RangeError(`bodyLimit: ${String(bodyLimit)} is not a number of bytes`);
    if (!(typeof requestTimeout === "number" && requestTimeout > 0))
      throw new RangeError(`requestTimeout: ${String(requestTimeout)} is not a time in milliseconds`);
    this.#app = typeof app === "function" ? { handle: app } : app;
    this.#options = options;
    this.#handle = this.#app.handle.bind(this.#app);
    this.#upgrade = this.#app.upgrade?.bind(this.#app);
    this.#dress = answerDresser(this.#app, (error, { request }) => this.#report(error, request));
    this.bodyLimit = bodyLimit;
    this.rootPath = options.rootPath ?? "";
    // Every long response may add a listener, so many listeners are no leak.
    setMaxListeners(0, this.#drain.signal);
    const { forwardedAllowIps, forwardedHeaders } = options;
    this.proxyRules =
      forwardedAllowIps === undefined ? undefined : new ProxyRules(forwardedAllowIps, forwardedHeaders);
    this.worker = workerInfo({ slot: 1, generation: 1, drain: this.#drain.signal });
    this.ready = this.#start();
    // A caller that does not await `ready` learns of the failure from the first request.
    this.ready.catch(() => {});
  }

  get draining(): boolean {
    return this.#drain.signal.aborted;
  }

  async #start(): Promise<void> {
    if (this.#app.startup !== undefined) this.state = await this.#app.startup(this.worker);
    this.#started = true;
  }

  /** Creates a request and its response; `run` passes them to the app. */
  open(
    head: ExchangeHead,
    connection: HostedConnection,
    body: MessageBody | undefined,
    transport: Transport,
  ): HostedExchange {
    let timer: NodeJS.Timeout | undefined;
    const limit = this.#options.requestTimeout;
    const restartTimeout = (milliseconds: number): void => {
      clearTimeout(timer);
      if (milliseconds === Number.POSITIVE_INFINITY || response.headSent || response.complete) return;
      timer = setTimeout(() => this.#timeOut(exchange), milliseconds);
    };
    const context = new HostedContext(this, connection);
    const request = new ExchangeRequest(
      head,
      context,
      body,
      limit === undefined ? undefined : { extend: restartTimeout },
    );
    const dress = this.#dress;
    const response = new ExchangeResponse(
      transport,
      (error) => this.#report(error, request),
      dress && ((status, error) => dress({ status, error, request })),
    );
    const exchange = { request, response };
    if (limit !== undefined) restartTimeout(limit);
    this.#inFlight += 1;
    const settled = (): void => {
      clearTimeout(timer);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#onIdle?.();
    };
    response.finished().then(settled, settled);
    return exchange;
  }

  #report(error: Error, request: GatewayRequest | undefined): void {
    if (request !== undefined) (this.#options.onError ?? logError)(error, request);
  }

  /** Delays `close` until `work` has settled. */
  keep(work: PromiseLike<unknown>, request: GatewayRequest): void {
    this.#working += 1;
    work.then(this.#worked, (thrown: unknown) => {
      this.#report(thrownError(thrown), request);
      this.#worked();
    });
  }

  readonly #worked = (): void => {
    this.#working -= 1;
    if (this.#working === 0) this.#onWorked?.();
  };

  async #workDone(): Promise<void> {
    if (this.#working === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onWorked = resolve;
      timer = setTimeout(resolve, this.#options.shutdownTimeout ?? SHUTDOWN_TIMEOUT_MS);
    });
    clearTimeout(timer);
  }

  /** Passes an exchange to the app, at once if it has started, else afterwards. */
  run({ request, response }: HostedExchange): void {
    let handler: Handler;
    try {
      handler = handlerFor(request, this.#handle, this.#upgrade);
    } catch (error) {
      refuse(error, response.respond);
      return;
    }
    if (this.#started || this.#app.startup === undefined) {
      this.#run(handler, request, response);
      return;
    }
    this.ready.then(
      () => this.#run(handler, request, response),
      (cause) => response.abort(new HttpError(503, "the app failed to start", { cause })),
    );
  }

  #run(handler: Handler, request: ExchangeRequest, response: ExchangeResponse): void {
    const running = runHandler(handler, request, response, this.#worked);
    if (running !== undefined) this.#working += 1;
  }

  #timeOut({ request, response }: HostedExchange): void {
    if (response.headSent || response.complete) return;
    const late = `no response within ${(this.#options.requestTimeout as number) / 1000} s`;
    request.abort(new RequestAborted(`the request timed out: ${late}`));
    response.abort(new HttpError(503, late), request.abortReason);
  }

  /** Drains the app, waits for its last response and shuts it down. Further calls return the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#drain.abort();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#workDone();
    await this.ready.catch(() => {});
    if (this.#started) await this.#app.shutdown?.(this.state);
  }
}
