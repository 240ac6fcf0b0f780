/** Makes the front of a server's connections from the settings. Its modules are loaded only if there is a stage. */
import type { Config } from "../config/settings.ts";
import { ProxyRules } from "../exchange/proxy-rules.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { Stage } from "../server/front/front.ts";
import { Refusal } from "../server/front/refusal.ts";
import type { RequestMeter } from "../server/request-meter.ts";
import type { MakeFront } from "../server/server-options.ts";

export interface FrontNeeds {
  readonly assignment: Assignment<Config>;
  readonly log: ErrorLog;
  /** Undefined if nothing is counted. */
  readonly meter: RequestMeter | undefined;
}

/** Undefined if connections begin with HTTP. */
export async function frontOf({ assignment, log, meter }: FrontNeeds): Promise<MakeFront | undefined> {
  const { proxyProtocol, proxyAllowFrom, headerTimeout } = assignment.settings;
  const stages: Stage[] = [];
  if (proxyProtocol !== "off") {
    const { proxyStage } = await import("../server/front/proxy-stage.ts");
    stages.push(proxyStage({ versions: proxyProtocol, rules: new ProxyRules(proxyAllowFrom) }));
  }
  if (stages.length === 0) return undefined;
  const { Front } = await import("../server/front/front.ts");
  const onRefused = refusalReporter(log, meter);
  const onEvicted = (): void => meter?.connectionFailed("evicted");
  // 0 is no limit.
  const timeout = headerTimeout || Number.POSITIVE_INFINITY;
  return (limiter) => new Front({ stages, timeout, onRefused, onEvicted }, limiter);
}

/** Logs and counts refused connections, with a line for each reason now and then: clients can cause any number. */
function refusalReporter(log: ErrorLog, meter: RequestMeter | undefined): (error: Error) => void {
  const lines = new Map<string, RateLimit>();
  return (error) => {
    const reason = error instanceof Refusal ? error.reason : "accept";
    meter?.connectionFailed(reason);
    let line = lines.get(reason);
    if (line === undefined) {
      line = new RateLimit();
      lines.set(reason, line);
    }
    if (!line.allows()) return;
    const more = line.suppressed === 0 ? "" : ` (${line.suppressed} more since the last such line)`;
    const message = `Refused a connection: ${error.message}${more}`;
    if (error instanceof Refusal) log.warning(message);
    else log.error(message, error);
  };
}
