/** Makes the front of a server's connections from the settings. Loaded only if there is a stage. */
import type { SslContextHook } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import { ProxyRules } from "../exchange/proxy-rules.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { OpeningStage } from "../server/front/opening.ts";
import { FrontTimeout, Refusal } from "../server/front/refusal.ts";
import type { Stage } from "../server/front/stage.ts";
import type { RequestMeter } from "../server/request-meter.ts";
import type { MakeFront } from "../server/server-options.ts";

export interface FrontNeeds {
  readonly assignment: Assignment<Config>;
  /** Undefined without such a hook. */
  readonly sslContext: SslContextHook | undefined;
  readonly log: ErrorLog;
  /** Undefined if nothing is counted. */
  readonly meter: RequestMeter | undefined;
}

export interface WorkerFront {
  readonly make: MakeFront;
  /** @param keys of session tickets, in base64 */
  setTicketKeys(keys: string): void;
}

/**
 * Undefined if connections begin with the first byte of the server's protocol.
 *
 * @param protocols what the server speaks, as ALPN names it, the preferred one first; none: its protocol has no name
 * @param choice the stage that chooses the protocol; undefined if there is one only
 * @throws HookFailure when the hook `sslContext` fails
 */
export async function makeFront(
  needs: FrontNeeds,
  protocols: readonly string[],
  choice?: OpeningStage,
): Promise<WorkerFront | undefined> {
  const { assignment, log, meter } = needs;
  const { proxyProtocol, proxyAllowFrom, headerTimeout, keepAlive } = assignment.settings;
  const stages: (Stage | OpeningStage)[] = [];
  if (proxyProtocol !== "off") {
    const { ProxyStage } = await import("../server/front/proxy-stage.ts");
    stages.push(new ProxyStage({ versions: proxyProtocol, rules: new ProxyRules(proxyAllowFrom) }));
  }
  const tls = assignment.tls && (await (await import("./tls-stage.ts")).makeTlsStage(needs, protocols));
  if (tls !== undefined) stages.push(tls.stage);
  if (choice !== undefined) stages.push(choice);
  if (stages.length === 0) return undefined;
  const { Front } = await import("../server/front/front.ts");
  const onRefused = refusalReporter(log, meter);
  const onEvicted = (): void => meter?.connectionFailed("evicted");
  // 0 is no limit.
  const timeout = headerTimeout || Number.POSITIVE_INFINITY;
  const idleTimeout = keepAlive || timeout;
  return {
    make: (limiter) => new Front({ stages, timeout, idleTimeout, onRefused, onEvicted }, limiter),
    setTicketKeys: (keys) => tls?.setTicketKeys(Buffer.from(keys, "base64")),
  };
}

/** Logs and counts refused connections, with a line for each reason now and then: clients can cause any number. */
function refusalReporter(log: ErrorLog, meter: RequestMeter | undefined): (error: Error) => void {
  const lines = new Map<string, RateLimit>();
  return (error) => {
    const reason = error instanceof Refusal ? error.reason : "accept";
    meter?.connectionFailed(reason);
    // On the open internet scanners cause them all the time.
    if (reason === "tls_handshake" || (error instanceof FrontTimeout && error.isSilent)) {
      log.debug(`Refused a connection: ${error.message}`);
      return;
    }
    let line = lines.get(reason);
    if (line === undefined) {
      line = new RateLimit();
      lines.set(reason, line);
    }
    if (!line.allows()) return;
    const message = `Refused a connection: ${error.message}${line.sinceLast}`;
    if (error instanceof Refusal) log.warning(message);
    else log.error(message, error);
  };
}
