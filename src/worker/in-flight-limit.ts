/** The gate of `--max-in-flight`, and its line in the log. */
import type { Config } from "../config/settings.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import { InFlightGate, type ShedReason } from "../server/in-flight-gate.ts";

const WHY: Readonly<Record<ShedReason, string>> = {
  overload: "its queue is full",
  queue_timeout: "they had waited for longer than --queue-timeout",
  draining: "it ends",
};

export function inFlightGate(settings: Config, log: ErrorLog): InFlightGate {
  const { maxInFlight, maxQueue, queueTimeout, neverShed } = settings;
  const lines = new RateLimit();
  return new InFlightGate({
    maxInFlight,
    maxQueue,
    queueTimeout: queueTimeout === 0 ? Number.POSITIVE_INFINITY : queueTimeout,
    neverShed,
    onShed: (reason, gate) => {
      if (!lines.allows()) return;
      const before = lines.suppressed === 0 ? "" : `; ${lines.suppressed} since the last such line`;
      log.warning(
        `This worker has too many requests and answers some with 503: ${WHY[reason]} (${gate.inFlight} of ${maxInFlight} in flight, ${gate.waiting} of ${gate.maxQueue} waiting${before})`,
      );
    },
  });
}
