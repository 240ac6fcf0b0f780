/** HTTP/2 as the settings ask for it. Loaded only if --http-protocols has h2. */
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { OpeningStage } from "../server/front/opening.ts";
import { protocolChoice } from "../server/front/protocol-choice.ts";
import type { Http2Options } from "../server/http2/http2-server.ts";
import type { MakeListenerSessions } from "../server/node/listener-session-host.ts";
import type { MakeSessionServer } from "../server/session-server.ts";
import { HTTP_1_PROTOCOLS } from "./server-settings.ts";

export interface WorkerHttp2 {
  /** As ALPN names them, the preferred one first. */
  readonly protocols: readonly string[];
  /** Chooses the protocol of a connection. */
  readonly choice: OpeningStage;
  /** Loads what serves the sessions of gateway and fetch apps. */
  gateway(): Promise<MakeSessionServer>;
  /** The same of node listeners. */
  listener(): Promise<MakeListenerSessions>;
}

/** @throws FatalError if no client could speak HTTP/2 */
export function workerHttp2(settings: Config, hasTls: boolean, log: Pick<ErrorLog, "warning">): WorkerHttp2 {
  const cleartext = settings.http2Cleartext !== "off";
  if (!cleartext && !hasTls)
    throw new FatalError(
      "--http-protocols has h2, but --http2-cleartext is off and there is no TLS: add --certfile, or leave --http2-cleartext out",
      ExitCode.usage,
    );
  const options: Http2Options = {
    maxConcurrentStreams: settings.http2MaxConcurrentStreams,
    initialWindowSize: settings.http2InitialWindowSize,
    maxFrameSize: settings.http2MaxFrameSize,
    maxHeaderListSize: settings.http2MaxHeaderListSize,
    onExcess: excessReporter(log),
  };
  return {
    // Node takes the first of these that the client offers. Clients that offer both want HTTP/2: they list it first.
    protocols: settings.httpProtocols.includes("h1") ? ["h2", ...HTTP_1_PROTOCOLS] : ["h2"],
    choice: protocolChoice({ h1: settings.httpProtocols.includes("h1"), cleartext }),
    gateway: async () => (await import("../server/http2/http2-server.ts")).http2Sessions(options),
    listener: async () => (await import("../server/http2/listener-server.ts")).listenerSessions(options),
  };
}

/** Clients can cause such lines at will. */
function excessReporter(log: Pick<ErrorLog, "warning">): (excess: string, remote: string) => void {
  const lines = new RateLimit();
  return (excess, remote) => {
    if (!lines.allows()) return;
    const from = remote === "" ? "" : ` from ${remote}`;
    log.warning(`Closed a connection of HTTP/2${from}: too many ${excess}${lines.sinceLast}`);
  };
}
