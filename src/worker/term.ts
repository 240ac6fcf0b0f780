/** The term of a worker: after so many answers, or so long a life, it says that it is due to be replaced. */
import type { Config } from "../config/settings.ts";
import type { Due } from "../ipc/messages.ts";
import type { WorkerServer } from "../server/server.ts";

/** The longest time a timer can wait, in milliseconds: 24.8 days. */
const LONGEST = 2 ** 31 - 1;

/** The terms that are configured, with a part of their jitter each worker rolls for itself, so that not all are due at once. */
export function beginTerm(settings: Config, server: WorkerServer, due: (due: Due) => void): void {
  const { maxRequests, maxRequestsJitter, maxLifetime, maxLifetimeJitter } = settings;
  if (maxRequests > 0) {
    const amount = maxRequests + roll(maxRequestsJitter);
    server.whenAnswered(amount, () => due({ why: "requests", amount }));
  }
  if (maxLifetime > 0) {
    const amount = Math.min(LONGEST, maxLifetime + roll(maxLifetimeJitter));
    setTimeout(() => due({ why: "lifetime", amount }), amount).unref();
  }
}

/** A whole number from 0 to `most`. */
function roll(most: number): number {
  return Math.floor(Math.random() * (most + 1));
}
