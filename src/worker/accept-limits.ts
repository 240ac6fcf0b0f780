/** How many connections a worker accepts, and the log lines about it. */
import type { Config } from "../config/settings.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import { AcceptLimiter } from "../server/accept-limiter.ts";
import { DescriptorBudget } from "../server/descriptor-budget.ts";
import type { PlaceKeeper, Places } from "../server/places/place-keeper.ts";

/** By then the start is long over, and a deploy has not yet deleted the release that this server was started from. */
const LOAD_AFTER_MS = 30_000;

/** The limiter of a worker's connections, which logs when it stops to accept. */
export function acceptLimiter({ workerConnections }: Config, log: ErrorLog): AcceptLimiter {
  const fullLines = new RateLimit();
  const scarceLines = new RateLimit();
  let reportedScarce = false;
  const descriptors = new DescriptorBudget();
  const limiter = new AcceptLimiter({
    maxConnections: workerConnections || Number.POSITIVE_INFINITY,
    onFull: () => {
      if (!fullLines.allows()) return;
      const many = workerConnections === 1 ? "1 connection" : `${workerConnections} connections`;
      log.warning(
        `This worker has ${many}, the limit of --worker-connections: it accepts more as they close`,
      );
    },
    loadKeeper: (places) => placeKeeper(places, log),
    descriptors,
    onDescriptorsScarce: (areScarce) => {
      if (areScarce && scarceLines.allows()) {
        reportedScarce = true;
        const many = `${descriptors.open} of ${descriptors.limit} file descriptors open`;
        log.warning(
          `This worker has ${many}: it accepts no connections until some are closed; raise the limit (ulimit -n, LimitNOFILE=) or look for a leak`,
        );
      } else if (!areScarce && reportedScarce) {
        reportedScarce = false;
        log.info("This worker has free file descriptors again and accepts connections");
      }
    },
  });
  setTimeout(() => limiter.prepare(), LOAD_AFTER_MS).unref();
  return limiter;
}

async function placeKeeper(places: Places, log: ErrorLog): Promise<PlaceKeeper> {
  const { PlaceKeeper } = await import("../server/places/place-keeper.ts");
  const { reliefReporter } = await import("./relief-report.ts");
  return new PlaceKeeper(places, reliefReporter(log));
}
