/** How long a stop may take: used by the arbiter, and by the timeouts of systemd and Kubernetes, which must be longer. */

/**
 * Time for a worker that must stop quickly, or has exceeded its graceful timeout: its connections are cut, the app is shut
 * down, and hooks run. In milliseconds.
 */
export const QUIT_TIMEOUT_MS = 5000;

/** The longest time from TERM until every worker is gone, in milliseconds; then the arbiter exits. */
export function longestStop(settings: {
  readonly drainDelay: number;
  readonly gracefulTimeout: number;
}): number {
  return settings.drainDelay + settings.gracefulTimeout + QUIT_TIMEOUT_MS;
}

/** Describes QUIT_TIMEOUT_MS in a sentence that explains the total. */
export const QUIT_TIMEOUT_TEXT = `${QUIT_TIMEOUT_MS / 1000}s to cut what has not finished`;
