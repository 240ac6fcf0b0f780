/**
 * An app in a process that is not a tsgun worker: its life (startup, shutdown), its clock and its
 * errors, the same for whatever carries the requests.
 */
import { setMaxListeners } from "node:events";
import { HttpError, RequestAborted } from "../errors.ts";
import { Answer } from "../exchange/answer.ts";
import type { Carrier } from "../exchange/carrier.ts";
import type { MessageBody } from "../exchange/message-body.ts";
import { ProxyRules } from "../exchange/proxy-rules.ts";
import { type ExchangeContext, type ExchangeHead, ExchangeRequest } from "../exchange/request.ts";
import { handlerFor, runHandler } from "../exchange/run.ts";
import type { ForwardedField } from "../gateway/proxies.ts";
import type { App, Endpoint, GatewayRequest, Handler, WorkerInfo } from "../gateway/types.ts";
import { refuse } from "./refusal.ts";

export interface HostOptions {
  /**
   * The proxies in front of the server (addresses, CIDRs, `unix`, `*`): what their fields say of a request counts for
   * `remote`, `scheme`, `host`, `rootPath` and `id`. Nobody by default.
   */
  readonly forwardedAllowIps?: readonly string[];
  /** The fields that these proxies set; all that there are by default. */
  readonly forwardedHeaders?: readonly ForwardedField[];
  /** The prefix under which a proxy mounts the app; "" by default. */
  readonly rootPath?: string;
  /** The most bytes of a request body that any reader accepts; no limit by default. */
  readonly bodyLimit?: number;
  /** Milliseconds from a request to the head of its answer, beyond which it is 503; no limit by default. */
  readonly requestTimeout?: number;
  /** Takes the errors that an operator should see; by default they go to the console, with the request's id. */
  readonly onError?: (error: Error, request: GatewayRequest) => void;
}

/** One request on its way. */
export interface Exchange {
  readonly request: ExchangeRequest;
  readonly answer: Answer;
}

/** What a request says of the connection it came by. */
export interface Connection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly scheme: "http" | "https";
}

/** An end of a connection of which nothing is known. */
export const UNKNOWN_ENDPOINT: Endpoint = Object.freeze({ family: "unix", address: "", port: 0 });

/** The state is there once the app has started; the ends of a connection are asked for when they are looked at. */
class HostedContext implements ExchangeContext {
  readonly #host: HostedApp;
  readonly #connection: Connection;
  #trusted: boolean | undefined;

  constructor(host: HostedApp, connection: Connection) {
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
    // Of whom nothing is known comes by no Unix socket either.
    this.#trusted ??= peer !== UNKNOWN_ENDPOINT && proxyRules.trusts(peer);
    return this.#trusted ? proxyRules : undefined;
  }

  get worker(): WorkerInfo {
    return this.#host.worker;
  }

  get state(): unknown {
    return this.#host.state;
  }
}

function report(error: Error, request: GatewayRequest): void {
  console.error(`${request.method} ${request.target} (request ${request.id}) failed:`, error);
}

export class HostedApp {
  readonly worker: WorkerInfo;
  readonly bodyLimit: number;
  readonly rootPath: string;
  readonly proxyRules: ProxyRules | undefined;
  state: unknown;
  /** Resolves when the app has started; rejects with what its `startup` threw. */
  readonly ready: Promise<void>;
  readonly #app: App;
  readonly #options: HostOptions;
  readonly #handle: Handler;
  readonly #upgrade: Handler | undefined;
  readonly #drain = new AbortController();
  #started = false;
  #inFlight = 0;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** @throws RangeError for a limit that is not a number above zero, or zero bytes */
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
    this.bodyLimit = bodyLimit;
    this.rootPath = options.rootPath ?? "";
    // Each long answer may listen for it: many are no leak.
    setMaxListeners(0, this.#drain.signal);
    const { forwardedAllowIps, forwardedHeaders } = options;
    this.proxyRules =
      forwardedAllowIps === undefined ? undefined : new ProxyRules(forwardedAllowIps, forwardedHeaders);
    this.worker = { pid: process.pid, slot: 1, generation: 1, drain: this.#drain.signal };
    this.ready = this.#start();
    // Who does not wait for it hears of it with the first request.
    this.ready.catch(() => {});
  }

  get draining(): boolean {
    return this.#drain.signal.aborted;
  }

  async #start(): Promise<void> {
    if (this.#app.startup !== undefined) this.state = await this.#app.startup(this.worker);
    this.#started = true;
  }

  /** Makes a request and its answer; `run` hands them to the app. */
  open(
    head: ExchangeHead,
    connection: Connection,
    body: MessageBody | undefined,
    carrier: Carrier,
  ): Exchange {
    let clock: NodeJS.Timeout | undefined;
    const limit = this.#options.requestTimeout;
    const setClock = (milliseconds: number): void => {
      clearTimeout(clock);
      if (milliseconds === Number.POSITIVE_INFINITY || answer.headSent || answer.complete) return;
      clock = setTimeout(() => this.#overdue(exchange), milliseconds);
    };
    const context = new HostedContext(this, connection);
    const request = new ExchangeRequest(head, context, body, limit === undefined ? undefined : setClock);
    const answer = new Answer(carrier, (error) => (this.#options.onError ?? report)(error, request));
    const exchange = { request, answer };
    if (limit !== undefined) setClock(limit);
    this.#inFlight += 1;
    const settled = (): void => {
      clearTimeout(clock);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#onIdle?.();
    };
    answer.finished().then(settled, settled);
    return exchange;
  }

  /** Hands an exchange to the app, at once if it has started. */
  run({ request, answer }: Exchange): void {
    let handler: Handler;
    try {
      handler = handlerFor(request, this.#handle, this.#upgrade);
    } catch (error) {
      refuse(error, answer.respond);
      return;
    }
    if (this.#started || this.#app.startup === undefined) {
      void runHandler(handler, request, answer);
      return;
    }
    this.ready.then(
      () => runHandler(handler, request, answer),
      (cause) => answer.giveUp(new HttpError(503, "the app failed to start", { cause })),
    );
  }

  #overdue({ request, answer }: Exchange): void {
    if (answer.headSent || answer.complete) return;
    request.abort(new RequestAborted("the time for this request is over"));
    answer.giveUp(
      new HttpError(503, `no answer within ${(this.#options.requestTimeout as number) / 1000} s`),
    );
  }

  /** Tells the app to drain, waits for its last answer, and shuts it down. The second call waits for the first. */
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
    await this.ready.catch(() => {});
    if (this.#started) await this.#app.shutdown?.(this.state);
  }
}
