/** The context that all requests of one connection share, as the app sees it. */
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
export class ConnectionContext extends ConnectionEndpoints implements ExchangeContext {
  readonly scheme: "http" | "https";
  readonly tls: TlsInfo | undefined;
  readonly proxy: ProxyInfo | undefined;
  readonly rootPath: string;
  readonly worker: WorkerInfo;
  readonly state: unknown;
  readonly #rules: ProxyRules | undefined;
  readonly #host: ContextHost;
  #trusted: boolean | undefined;

  constructor(socket: Addresses, facts: ConnectionFacts, host: ContextHost) {
    const { options } = host;
    super(socket, facts);
    this.#host = host;
    // TLS has ended here, or at the balancer.
    this.scheme = facts.tls === undefined && facts.proxy?.tls === undefined ? "http" : "https";
    this.tls = facts.tls;
    this.proxy = facts.proxy;
    this.rootPath = options.rootPath ?? "";
    this.worker = options.worker;
    this.state = options.state;
    this.#rules = options.proxyRules;
  }

  waitUntil(work: PromiseLike<unknown>, request: ExchangeRequest): void {
    const { handlers, options } = this.#host;
    handlers.keep(work, (error) => options.onError(error, request));
  }

  get proxyRules(): ProxyRules | undefined {
    this.#trusted ??= this.#rules?.trusts(this.peer) ?? false;
    return this.#trusted ? this.#rules : undefined;
  }
}
