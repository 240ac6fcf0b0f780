/**
 * The context that all requests of one connection share, as the app sees it. What connections have in common stays with
 * their server: a kept connection holds its context while it is idle.
 */
import { ConnectionEndpoints } from "../exchange/endpoint.ts";
import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { ExchangeContext, ExchangeRequest } from "../exchange/request.ts";
import type { ProxyInfo, TlsInfo, WorkerInfo } from "../gateway/types.ts";
import type { ConnectionFacts } from "./front/facts.ts";
import type { RunningHandlers } from "./running-handlers.ts";
import type { EngineOptions } from "./server-options.ts";

type Addresses = ConstructorParameters<typeof ConnectionEndpoints>[0];

/** The members of a server that a context uses. */
export interface ContextHost {
  readonly options: EngineOptions;
  readonly handlers: RunningHandlers;
}

/** Whether the peer is trusted is determined once, on first access. */
export class ConnectionContext extends ConnectionEndpoints<ConnectionFacts> implements ExchangeContext {
  readonly #host: ContextHost;
  #trusted: boolean | undefined;

  constructor(socket: Addresses, facts: ConnectionFacts, host: ContextHost) {
    super(socket, facts);
    this.#host = host;
  }

  /** TLS has ended here, or at the balancer. */
  get scheme(): "http" | "https" {
    return this.known.tls === undefined && this.known.proxy?.tls === undefined ? "http" : "https";
  }

  get tls(): TlsInfo | undefined {
    return this.known.tls;
  }

  get proxy(): ProxyInfo | undefined {
    return this.known.proxy;
  }

  get rootPath(): string {
    return this.#host.options.rootPath ?? "";
  }

  get worker(): WorkerInfo {
    return this.#host.options.worker;
  }

  get state(): unknown {
    return this.#host.options.state;
  }

  waitUntil(work: PromiseLike<unknown>, request: ExchangeRequest): void {
    const { handlers, options } = this.#host;
    handlers.keep(work, (error) => options.onError(error, request));
  }

  get proxyRules(): ProxyRules | undefined {
    const { proxyRules } = this.#host.options;
    this.#trusted ??= proxyRules?.trusts(this.peer) ?? false;
    return this.#trusted ? proxyRules : undefined;
  }
}
