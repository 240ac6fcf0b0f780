/** How long a stop may take: what the arbiter goes by, and whoever has to wait longer than it (systemd, Kubernetes). */

/**
 * What a worker has that is to stop quickly, or has not finished within its graceful timeout: its connections are cut, its
 * app is shut down, its hooks run. In milliseconds.
 */
export const QUIT_TIME = 5000;

/** The longest time from TERM until every worker is gone, in milliseconds; the arbiter's own end follows. */
export function longestStop(settings: {
  readonly drainDelay: number;
  readonly gracefulTimeout: number;
}): number {
  return settings.drainDelay + settings.gracefulTimeout + QUIT_TIME;
}

/** Its parts, for a sentence that names where the time comes from. */
export const QUIT_PART = `${QUIT_TIME / 1000}s to shut down what has not finished`;
