/** The options of the servers that follow from the settings alone. */
import type { Config } from "../config/settings.ts";
import { ProxyRules } from "../exchange/proxy-rules.ts";
import type { EngineOptions } from "../server/server-options.ts";

/** HTTP/1.1 as ALPN names it. Clients of HTTP/1.0 that offer only that are served as well. */
export const HTTP_1_PROTOCOLS: readonly string[] = ["http/1.1", "http/1.0"];

/** In the settings 0 means no limit. */
export function limited(value: number): number {
  return value === 0 ? Number.POSITIVE_INFINITY : value;
}

export function proxyRulesOf({ forwardedAllowIps, forwardedHeaders }: Config): ProxyRules {
  return new ProxyRules(forwardedAllowIps, forwardedHeaders);
}

export function limitsOf(settings: Config): EngineOptions["limits"] {
  return {
    requestLine: limited(settings.limitRequestLine),
    fields: settings.limitRequestFields,
    fieldSize: limited(settings.limitRequestFieldSize),
    body: limited(settings.limitRequestBody),
  };
}

export function timeoutsOf(settings: Config): EngineOptions["timeouts"] {
  return {
    header: limited(settings.headerTimeout),
    body: limited(settings.bodyTimeout),
    bodyTotal: limited(settings.bodyTotalTimeout),
    bodyMinRate: settings.bodyMinRate,
    responseMinRate: settings.responseMinRate,
    request: limited(settings.requestTimeout),
    keepAlive: settings.keepAlive,
  };
}
