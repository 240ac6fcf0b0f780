/** Worker lifetime: after a number of responses, or a time, the worker reports that it is due for replacement. */
import type { Config } from "../config/settings.ts";
import type { Due } from "../ipc/messages.ts";
import type { WorkerServer } from "../server/server.ts";

/** Longest delay of a Node timer: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Starts the configured limits. Each worker adds a random part of the jitter, so that not all are due at once. */
export function startLifetimeLimits(settings: Config, server: WorkerServer, due: (due: Due) => void): void {
  const { maxRequests, maxRequestsJitter, maxLifetime, maxLifetimeJitter } = settings;
  if (maxRequests > 0) {
    const amount = maxRequests + randomUpTo(maxRequestsJitter);
    server.afterRequests(amount, () => due({ why: "requests", amount }));
  }
  if (maxLifetime > 0) {
    const amount = Math.min(MAX_TIMER_MS, maxLifetime + randomUpTo(maxLifetimeJitter));
    setTimeout(() => due({ why: "lifetime", amount }), amount).unref();
  }
}

/** A random integer from 0 to `most`. */
function randomUpTo(most: number): number {
  return Math.floor(Math.random() * (most + 1));
}
