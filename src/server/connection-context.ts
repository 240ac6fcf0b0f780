/** What all requests of one connection have in common, as the app sees it. */
import { ConnectionEndpoints } from "../exchange/endpoint.ts";
import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { ExchangeContext } from "../exchange/request.ts";
import type { ProxyInfo, TlsInfo, WorkerInfo } from "../gateway/types.ts";
import type { ConnectionFacts } from "./front/facts.ts";
import type { EngineOptions } from "./server-options.ts";

type Addresses = ConstructorParameters<typeof ConnectionEndpoints>[0];

/** Whether the peer is trusted is determined once, on first access. */
export class ConnectionContext extends ConnectionEndpoints implements ExchangeContext {
  readonly scheme: "http" | "https";
  readonly tls: TlsInfo | undefined;
  readonly proxy: ProxyInfo | undefined;
  readonly rootPath: string;
  readonly worker: WorkerInfo;
  readonly state: unknown;
  readonly #rules: ProxyRules | undefined;
  #trusted: boolean | undefined;

  constructor(socket: Addresses, facts: ConnectionFacts, options: EngineOptions) {
    super(socket, facts);
    // TLS has ended here, or at the balancer.
    this.scheme = facts.tls === undefined && facts.proxy?.tls === undefined ? "http" : "https";
    this.tls = facts.tls;
    this.proxy = facts.proxy;
    this.rootPath = options.rootPath ?? "";
    this.worker = options.worker;
    this.state = options.state;
    this.#rules = options.proxyRules;
  }

  get proxyRules(): ProxyRules | undefined {
    this.#trusted ??= this.#rules?.trusts(this.peer) ?? false;
    return this.#trusted ? this.#rules : undefined;
  }
}
