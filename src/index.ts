/** `tsgun`: what an application or a configuration file imports. */
export type { ConfigContext, ConfigExport, ConfigInput, SettingsInput } from "./config/config-input.ts";
export { defineConfig } from "./config/config-input.ts";
export type {
  EndedWorker,
  HookLog,
  HookRequest,
  HookResponse,
  Hooks,
  ServerContext,
  WorkerContext,
  WorkerProcess,
} from "./config/hooks.ts";
export type { EventReport as ArbiterMessage } from "./control/stats.ts";
export { BodyError, ClientGone, GatewayError, HttpError, RequestAborted } from "./errors.ts";
export { setRoute } from "./exchange/route.ts";
export { compose } from "./gateway/compose.ts";
export { derive } from "./gateway/derive.ts";
export { endSignal } from "./gateway/end-signal.ts";
export type * from "./gateway/types.ts";
export { exposeMetrics, type MetricsRegistry } from "./interop/exposed-metrics.ts";
export { notReady } from "./interop/not-ready.ts";
export type { RequestMessage } from "./server/request-channels.ts";
export type { WorkerMessage } from "./worker/worker-channels.ts";
